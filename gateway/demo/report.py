"""What the demo prints: a row for each scenario, and why a wrong one is wrong."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.demo.outcome import Fact, Outcome
from gateway.demo.scenarios import CALLS, STAGES

__all__ = ("report",)

_TABLE_WIDTH: Final = 78
"""Columns of a terminal in which the table can be read."""

_CALLS: Final = "calls\nmade\ncancelled\nnever"
_LEGEND: Final = f"a checkout makes {len(CALLS)} calls: {'; then '.join(map(', '.join, STAGES))}"


def report(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print *outcomes*, as a table where there is room for one."""
    console.print(_LEGEND, end="\n\n")
    console.print(_table(outcomes) if console.width >= _TABLE_WIDTH else _list(outcomes))
    for outcome in outcomes:
        if outcome.answer.total is not None:
            console.print(_pace(outcome))
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    for outcome in wrong:
        console.print(_explanation(outcome))
    console.print(_summary(len(outcomes), len(wrong)))


def _table(outcomes: Iterable[Outcome]) -> Table:
    table = Table("", "scenario", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for header in ("status", "code", "source"):
        table.add_column(header, no_wrap=True)
    table.add_column(_CALLS, justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for outcome in outcomes:
        statuses, codes, abouts = ("\n".join(cells) for cells in zip(*_answer(outcome), strict=True))
        calls = f"{len(outcome.made)} / {len(outcome.cancelled)} / {len(outcome.never_made)}"
        name = outcome.scenario.name
        table.add_row(_verdict(outcome), name, statuses, codes, abouts, calls, _milliseconds(outcome.seconds))
    return table


def _list(outcomes: Iterable[Outcome]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for outcome in outcomes:
        grid.add_row(_verdict(outcome), _in_words(outcome))
    return grid


def _in_words(outcome: Outcome) -> str:
    said = "; ".join(" ".join(cells).rstrip() for cells in _answer(outcome))
    return (
        f"{outcome.scenario.name}: {said}; calls: {len(outcome.made)} made, "
        f"{len(outcome.cancelled)} cancelled, {len(outcome.never_made)} never made; "
        f"{_milliseconds(outcome.seconds)} ms"
    )


def _verdict(outcome: Outcome) -> Text:
    return Text("right", "green") if outcome.is_right else Text("WRONG", "bold red")


def _answer(outcome: Outcome) -> Sequence[tuple[str, str, str]]:
    """Give status, code and what it is about, of the answer, then of each error if there are several."""
    answer = outcome.answer
    errors = [(str(error.status), error.code, error.about) for error in answer.errors]
    if len(errors) == 1:
        return errors
    return [(str(answer.status), answer.code, ""), *errors]


def _pace(outcome: Outcome) -> str:
    return (
        f"\n{outcome.scenario.name}: {_milliseconds(outcome.seconds)} ms; its calls one after the other: "
        f"{_milliseconds(outcome.sequential)} ms, {outcome.sequential / outcome.seconds:.1f} times as long"
    )


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
