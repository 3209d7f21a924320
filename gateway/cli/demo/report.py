"""The demo's output: a row for each scenario, and the differences of failed scenarios."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.cli.demo.expected import Answer, InvalidAnswer
from gateway.cli.demo.outcome import Fact, Outcome
from gateway.cli.demo.scenario import Pipeline

__all__ = ("print_outcomes", "print_summary")

_TABLE_WIDTH: Final = 78
"""Fewest columns of a terminal in which the table is readable."""

_UNKNOWN: Final = "-"
_LEGEND: Final = (
    "calls: made/cancelled/never made; undos are listed by name instead\n"
    "serial: ms that the same calls would take in sequence (for two calls or more)"
)


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print *outcomes* of one pipeline: as a table if the terminal is wide enough, else as a list."""
    build = _build_table if console.width >= _TABLE_WIDTH else _build_list
    console.print(_format_title(outcomes[0].scenario.pipeline), end="\n\n")
    console.print(build(outcomes))
    console.print()


def print_summary(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print the differences of each failed scenario, and the totals."""
    console.print(_LEGEND)
    for outcome in outcomes:
        if not outcome.has_passed:
            console.print(_format_differences(outcome))
    console.print()
    for pipeline, played in groupby(outcomes, key=lambda outcome: outcome.scenario.pipeline):
        passed = [outcome.has_passed for outcome in played]
        console.print(f"{pipeline.name}: {sum(passed)} of {len(passed)} passed")
    console.print(_format_total(len(outcomes), sum(not outcome.has_passed for outcome in outcomes)))


def _format_title(pipeline: Pipeline) -> str:
    stages = "; then ".join(map(", ".join, pipeline.stages))
    return f"{pipeline.name}, up to {len(pipeline.calls)} calls: {stages}"


def _build_table(outcomes: Iterable[Outcome]) -> Table:
    table = Table("", "scenario", box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    for header in ("status and code", "source"):
        table.add_column(header, no_wrap=True)
    for header in ("calls", "ms", "serial"):
        table.add_column(header, justify="right", no_wrap=True)
    for outcome in outcomes:
        codes, sources = ("\n".join(cells) for cells in zip(*_format_answers(outcome), strict=True))
        table.add_row(
            _format_verdict(outcome),
            outcome.scenario.name,
            codes,
            sources,
            _format_calls(outcome),
            *_format_times(outcome),
        )
    return table


def _build_list(outcomes: Iterable[Outcome]) -> Table:
    grid = Table.grid(padding=(0, 1))
    for outcome in outcomes:
        grid.add_row(_format_verdict(outcome), _format_paragraph(outcome))
    return grid


def _format_paragraph(outcome: Outcome) -> str:
    answers = "; ".join(" ".join(cells).strip() for cells in _format_answers(outcome))
    took, sequential = _format_times(outcome)
    calls = _format_calls(outcome)
    return f"{outcome.scenario.name}: {answers}; calls: {calls}; {took} ms, serial {sequential}"


def _format_verdict(outcome: Outcome) -> Text:
    return Text("pass", "green") if outcome.has_passed else Text("FAIL", "bold red")


def _format_answers(outcome: Outcome) -> Sequence[tuple[str, str]]:
    """Return the lines of each answer, with the sources of its errors, and a line for each undo."""
    lines = [line for answer in outcome.answers for line in _format_answer(answer)]
    return [*lines, *(("undone by", name) for name in outcome.undos)]


def _format_answer(answer: Answer | InvalidAnswer) -> Iterator[tuple[str, str]]:
    if isinstance(answer, InvalidAnswer):
        yield str(answer.status or _UNKNOWN), ""
        return
    replayed = " replayed" if answer.is_replayed else ""
    errors = [(f"{error.status} {error.code}", error.subject) for error in answer.errors]
    if len(errors) == 1:
        [(code, source)] = errors
        yield code + replayed, source
        return
    missing = answer.degraded_fields
    word = answer.code or answer.state or ("degraded" if missing else "")
    yield f"{answer.status} {word}".rstrip() + replayed, next(iter(missing), "")
    yield from (("", name) for name in missing[1:])
    yield from errors


def _format_calls(outcome: Outcome) -> str:
    record = outcome.record
    if record is None:
        return _UNKNOWN
    never = outcome.scenario.pipeline.without(record.made)
    made = len(record.made) - len(outcome.undos)
    return f"{made}/{len(record.cancelled)}/{len(never)}"


def _format_times(outcome: Outcome) -> tuple[str, str]:
    """Return the milliseconds that the requests took, and that their calls would take in sequence.

    Both are `-` without a record, and the second is `-` if there were fewer than two calls.
    """
    record = outcome.record
    if record is None:
        return _UNKNOWN, _UNKNOWN
    has_several = len(record.made) > 1
    return (
        _format_milliseconds(record.seconds),
        _format_milliseconds(record.sequential) if has_several else _UNKNOWN,
    )


def _format_differences(outcome: Outcome) -> RenderableType:
    lines = [
        f"  {subject}: expected {_format_fact(expected)}; got {_format_fact(actual)}"
        for subject, expected, actual in outcome.differences
    ]
    return Text(f"\n{outcome.scenario.name} failed:\n", "red").append("\n".join(lines))


def _format_fact(fact: Fact) -> str:
    match fact:
        case None | () | "":
            return "none"
        case tuple():
            return ", ".join(map(str, fact))
        case _:
            return str(fact)


def _format_total(played: int, failed: int) -> Text:
    if failed:
        return Text(f"{failed} of {played} scenarios failed", "bold red")
    return Text(f"all {played} scenarios passed", "bold green")


def _format_milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
