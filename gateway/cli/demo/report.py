"""What the demo prints: a row for each scenario, and why a wrong one is wrong."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.expected import Answer, NoAnswer
from gateway.cli.demo.outcome import Fact, Outcome
from gateway.cli.demo.scenario import Pipeline

__all__ = ("conclude", "show")

_TABLE_WIDTH: Final = 78
"""Columns of a terminal in which the table can be read."""

_UNKNOWN: Final = "-"
_KEY: Final = (
    "calls: made/cancelled/never made; those that undo are named\n"
    "in turn: ms that the same calls take one after the other, if there are several"
)


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print *outcomes*, which are of one pipeline, as a table if there is room for it."""
    layout = _table if console.width >= _TABLE_WIDTH else _list
    console.print(_legend(outcomes[0].scenario.pipeline), end="\n\n")
    console.print(layout(outcomes))
    console.print()


def conclude(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print why those of *outcomes* are wrong that are, and what comes of all."""
    console.print(_KEY)
    for outcome in outcomes:
        if not outcome.is_right:
            console.print(_explanation(outcome))
    console.print()
    for pipeline, played in groupby(outcomes, key=lambda outcome: outcome.scenario.pipeline):
        right = [outcome.is_right for outcome in played]
        console.print(f"{pipeline.name}: {sum(right)} of {len(right)} right")
    console.print(_summary(len(outcomes), sum(not outcome.is_right for outcome in outcomes)))


def _legend(pipeline: Pipeline) -> str:
    stages = "; then ".join(map(", ".join, pipeline.stages))
    return f"{pipeline.name}, up to {len(pipeline.calls)} calls: {stages}"


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
    said = "; ".join(" ".join(cells).strip() for cells in _answer(outcome))
    took, in_turn = _times(outcome)
    return f"{outcome.scenario.name}: {said}; calls: {_calls(outcome)}; {took} ms, in turn {in_turn}"


def _verdict(outcome: Outcome) -> Text:
    return Text("right", "green") if outcome.is_right else Text("WRONG", "bold red")


def _answer(outcome: Outcome) -> Sequence[tuple[str, str]]:
    """Give, for each request, what was answered and what it is about, then what was undone."""
    said = [line for answer in outcome.answers for line in _lines(answer)]
    return [*said, *(("undone by", name) for name in outcome.undone)]


def _lines(answer: Answer | NoAnswer) -> Iterator[tuple[str, str]]:
    """Give what *answer* says and what it is about, then the same of each error if there are several."""
    if isinstance(answer, NoAnswer):
        yield str(answer.status or _UNKNOWN), ""
        return
    again = " again" if answer.is_replayed else ""
    errors = [(f"{error.status} {error.code}", error.about) for error in answer.errors]
    if len(errors) == 1:
        [(what, about)] = errors
        yield what + again, about
        return
    lacking = answer.lacking
    word = answer.code or answer.state or ("degraded" if lacking else "")
    yield f"{answer.status} {word}".rstrip() + again, next(iter(lacking), "")
    yield from (("", name) for name in lacking[1:])
    yield from errors


def _calls(outcome: Outcome) -> str:
    record = outcome.record
    if record is None:
        return _UNKNOWN
    never = outcome.scenario.pipeline.without(record.made)
    made = len(record.made) - len(outcome.undone)
    return f"{made}/{len(record.cancelled)}/{len(never)}"


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
        return Text(f"{wrong} of {played} scenarios did not come out as the contract says", "bold red")
    return Text(f"all {played} scenarios came out as the contract says", "bold green")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
