"""What `gateway explain` prints: a row for each call under its stage, and what takes so long."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.api.endpoints.pipelines import Described, policy_of, refusals_of
from gateway.plan.critical_path import UNBOUNDED, Schedule, ScheduledCall, ScheduledStage, ScheduledStep
from gateway.plan.plan import Kind, Need, PlannedStage

__all__ = ("list_all", "report")

_UNKNOWN: Final = "?"
_NEVER: Final = "any"
_NO_STAGE: Final = "(no stage)"
_INDENT: Final = "  "


def list_all(console: Console, pipelines: Sequence[Described]) -> None:
    """Print one row for each of *pipelines*."""
    table = Table(
        "pipeline", "request", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("calls", justify="right")
    table.add_column("stages")
    for one in pipelines:
        about, plan = one.description, one.plan
        stages = ", ".join(stage.name or _NO_STAGE for stage in plan.stages)
        table.add_row(plan.name, f"{about['method']} {about['path']}", str(len(plan.calls)), stages)
    console.print(table)


def report(console: Console, pipeline: Described, schedule: Schedule, source: str) -> None:
    """Print *pipeline*, and its times, which come from *source*."""
    about = pipeline.description
    console.print(Text(f"{about['name']}: {about['method']} {about['path']}", "bold"))
    console.print(about["summary"], end="\n\n")
    console.print(_table(schedule))
    console.print()
    if schedule.knows_any:
        _print_critical_path(console, schedule)
    console.print(f"times: {source}")
    console.print(f"answers: {' '.join(map(str, about['statuses']))}")


def _table(schedule: Schedule) -> Table:
    table = Table("call", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("refused with")
    if schedule.knows_any:
        table.add_column("ms", justify="right", no_wrap=True)
        table.add_column("slack", justify="right", no_wrap=True)
    for cells in _rows(schedule.stages, ""):
        table.add_row(*cells[: len(table.columns)])
    return table


def _rows(steps: Sequence[ScheduledStep], indent: str) -> Iterator[Sequence[str | Text]]:
    for step in steps:
        if isinstance(step, ScheduledStage):
            is_known = all(call.slack is not None for call in step.calls)
            seconds = _milliseconds(step.seconds if is_known else None)
            yield Text(f"{indent}{_title(step.stage)}", "bold"), "", "", seconds, ""
            yield from _rows(step.calls, indent + _INDENT)
        else:
            yield _row(step, indent)
            if step.call.undo is not None:
                yield (f"{indent}{_INDENT}undo: {step.call.undo}",)
            yield from _rows(step.then, indent + _INDENT)


def _title(stage: PlannedStage) -> str:
    if stage.name is None or stage.policy is None:
        return _NO_STAGE
    after = ", after the commit" if stage.is_after_commit else ""
    return f"{stage.name}: {policy_of(stage.policy)}{after}"


def _row(scheduled: ScheduledCall, indent: str) -> Sequence[str | Text]:
    call = scheduled.call
    refusals = ", ".join(str(refusal["status"]) for refusal in refusals_of(call))
    if call.kind is Kind.NOTHING:
        return f"{indent}{call.name}", "asks nobody"
    need = "" if call.need is Need.REQUIRED else f", {call.need.value}"
    times = _milliseconds(scheduled.seconds), _milliseconds(scheduled.slack)
    return f"{indent}{call.name}", f"{call.kind.value}{need}", refusals, *times


def _print_critical_path(console: Console, schedule: Schedule) -> None:
    at_least = "at least " if schedule.unknown else ""
    total, in_turn = _milliseconds(schedule.seconds), _milliseconds(schedule.in_turn)
    console.print(f"critical path: {at_least}{total} ms; one call after the other: {at_least}{in_turn} ms")
    path = " + ".join(f"{call.name}={_milliseconds(seconds)}" for call, seconds in schedule.path)
    console.print(Padding(path, (0, 0, 0, len(_INDENT))))


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return _UNKNOWN
    return _NEVER if seconds == UNBOUNDED else f"{round(seconds * 1000, 1):g}"
