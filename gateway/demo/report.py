"""What the demo prints: a row for each scenario, and why a wrong one is wrong."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.demo.answer import NoAnswer
from gateway.demo.outcome import Fact, Outcome
from gateway.demo.scenario import Pipeline

__all__ = ("report",)

_TABLE_WIDTH: Final = 78
"""Columns of a terminal in which the table can be read."""

_UNKNOWN: Final = "-"
_KEY: Final = (
    "calls: made/cancelled/never made\n"
    "in turn: ms that the same calls take one after the other, if there are several"
)


def report(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print *outcomes*, pipeline by pipeline, as tables where there is room for them."""
    show = _table if console.width >= _TABLE_WIDTH else _list
    for pipeline, played in groupby(outcomes, key=lambda outcome: outcome.scenario.pipeline):
        console.print(_legend(pipeline), end="\n\n")
        console.print(show(played))
        console.print()
    console.print(_KEY)
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    for outcome in wrong:
        console.print(_explanation(outcome))
    console.print(_summary(len(outcomes), len(wrong)))


def _legend(pipeline: Pipeline) -> str:
    stages = "; then ".join(map(", ".join, pipeline.stages))
    return f"{pipeline.name} makes up to {len(pipeline.calls)} calls: {stages}"


def _table(outcomes: Iterable[Outcome]) -> Table:
    table = Table("", "scenario", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for header in ("status and code", "source"):
        table.add_column(header, no_wrap=True)
    for header in ("calls", "ms", "in\nturn"):
        table.add_column(header, justify="right", no_wrap=True)
    for outcome in outcomes:
        codes, abouts = ("\n".join(cells) for cells in zip(*_answer(outcome), strict=True))
        table.add_row(
            _verdict(outcome), outcome.scenario.name, codes, abouts, _calls(outcome), *_times(outcome)
        )
    return table


def _list(outcomes: Iterable[Outcome]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for outcome in outcomes:
        grid.add_row(_verdict(outcome), _in_words(outcome))
    return grid


def _in_words(outcome: Outcome) -> str:
    said = "; ".join(" ".join(cells).rstrip() for cells in _answer(outcome))
    took, in_turn = _times(outcome)
    return f"{outcome.scenario.name}: {said}; calls: {_calls(outcome)}; {took} ms, in turn {in_turn}"


def _verdict(outcome: Outcome) -> Text:
    return Text("right", "green") if outcome.is_right else Text("WRONG", "bold red")


def _answer(outcome: Outcome) -> Sequence[tuple[str, str]]:
    """Give what was answered and what it is about, then the same of each error if there are several."""
    answer = outcome.answer
    if isinstance(answer, NoAnswer):
        return [(str(answer.status or _UNKNOWN), "")]
    errors = [(f"{error.status} {error.code}", error.about) for error in answer.errors]
    if len(errors) == 1:
        return errors
    return [(f"{answer.status} {answer.code}".rstrip(), ""), *errors]


def _calls(outcome: Outcome) -> str:
    record = outcome.record
    if record is None:
        return _UNKNOWN
    never = outcome.scenario.pipeline.without(record.made)
    return f"{len(record.made)}/{len(record.cancelled)}/{len(never)}"


def _times(outcome: Outcome) -> tuple[str, str]:
    """Give the milliseconds that it took, and those of its calls one after the other."""
    record = outcome.record
    if record is None:
        return _UNKNOWN, _UNKNOWN
    compared = len(record.made) > 1
    return _milliseconds(record.seconds), _milliseconds(record.sequential) if compared else _UNKNOWN


def _explanation(outcome: Outcome) -> RenderableType:
    lines = [
        f"{what}: expected {_shown(expected)}; came {_shown(came)}"
        for what, expected, came in outcome.differences
    ]
    return Text(f"\n{outcome.scenario.name} is wrong:\n", "red").append(
        "\n".join(f"  {line}" for line in lines)
    )


def _shown(fact: Fact) -> str:
    match fact:
        case None | () | "":
            return "none"
        case tuple():
            return ", ".join(map(str, fact))
        case _:
            return str(fact)


def _summary(played: int, wrong: int) -> Text:
    if wrong:
        return Text(f"\n{wrong} of {played} scenarios did not come out as the contract says", "bold red")
    return Text(f"\nall {played} scenarios came out as the contract says", "bold green")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
