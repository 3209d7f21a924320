"""The explanation of a pipeline as text: a row for each call under its stage, and the critical path."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.api.pipeline_route.description import DescribedPipeline, list_refusals, name_policy
from gateway.plan.critical_path import UNBOUNDED, Schedule, ScheduledCall, ScheduledStage, ScheduledStep
from gateway.plan.plan import Kind, Need, PlannedStage

__all__ = ("print_explanation", "print_pipelines")

_UNKNOWN: Final = "?"
_UNLIMITED: Final = "any"
_NO_STAGE: Final = "(no stage)"
_INDENT: Final = "  "


def print_pipelines(console: Console, pipelines: Sequence[DescribedPipeline]) -> None:
    """Print a row for each of *pipelines*."""
    table = Table(
        "pipeline", "request", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("calls", justify="right")
    table.add_column("stages")
    for pipeline in pipelines:
        about, plan = pipeline.description, pipeline.plan
        stages = ", ".join(stage.name or _NO_STAGE for stage in plan.stages)
        table.add_row(plan.name, f"{about['method']} {about['path']}", str(len(plan.calls)), stages)
    console.print(table)


def print_explanation(console: Console, pipeline: DescribedPipeline, schedule: Schedule, source: str) -> None:
    """Print *pipeline* with the times of its *schedule*, which come from *source*."""
    about = pipeline.description
    console.print(Text(f"{about['name']}: {about['method']} {about['path']}", "bold"))
    console.print(about["summary"], end="\n\n")
    console.print(_build_table(schedule))
    console.print()
    if schedule.has_times:
        _print_critical_path(console, schedule, is_bound=pipeline.plan.has_list)
    console.print(f"times: {source}")
    console.print(f"statuses: {' '.join(map(str, about['statuses']))}")
    for note in about.get("notes", ()):
        console.print(Text(f"note: {note}"))


def _build_table(schedule: Schedule) -> Table:
    table = Table("call", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("refused with")
    if schedule.has_times:
        table.add_column("ms", justify="right", no_wrap=True)
        table.add_column("slack", justify="right", no_wrap=True)
    for cells in _build_rows(schedule.stages, ""):
        table.add_row(*cells[: len(table.columns)])
    return table


def _build_rows(steps: Sequence[ScheduledStep], indent: str) -> Iterator[Sequence[str | Text]]:
    for step in steps:
        if isinstance(step, ScheduledStage):
            is_known = all(call.slack is not None for call in step.calls)
            seconds = _format_ms(step.seconds if is_known else None)
            yield Text(f"{indent}{_format_title(step.stage)}", "bold"), "", "", seconds, ""
            yield from _build_rows(step.calls, indent + _INDENT)
        else:
            yield _build_row(step, indent)
            if step.call.undo is not None:
                yield (f"{indent}{_INDENT}undo: {step.call.undo}",)
            yield from _build_rows(step.then, indent + _INDENT)


def _format_title(stage: PlannedStage) -> str:
    if stage.name is None or stage.policy is None:
        return _NO_STAGE
    each = "" if stage.at_once is None else f", for each item, {stage.at_once} at once"
    after = ", after the commit" if stage.is_after_commit else ""
    return f"{stage.name}: {name_policy(stage.policy)}{each}{after}"


def _build_row(scheduled: ScheduledCall, indent: str) -> Sequence[str | Text]:
    call = scheduled.call
    refusals = ", ".join(str(refusal["status"]) for refusal in list_refusals(call))
    if call.kind is Kind.NOTHING:
        return f"{indent}{call.name}", "no request"
    need = "" if call.need is Need.REQUIRED else f", {call.need.value}"
    times = _format_ms(scheduled.seconds), _format_ms(scheduled.slack)
    return f"{indent}{call.name}", f"{call.kind.value}{need}", refusals, *times


def _print_critical_path(console: Console, schedule: Schedule, *, is_bound: bool) -> None:
    at_least = "at least " if is_bound or schedule.unknown else ""
    total, sequential = _format_ms(schedule.seconds), _format_ms(schedule.sequential)
    console.print(f"critical path: {at_least}{total} ms; in sequence: {at_least}{sequential} ms")
    path = " + ".join(f"{call.name}={_format_ms(seconds)}" for call, seconds in schedule.path)
    console.print(Padding(path, (0, 0, 0, len(_INDENT))))


def _format_ms(seconds: float | None) -> str:
    if seconds is None:
        return _UNKNOWN
    return _UNLIMITED if seconds == UNBOUNDED else f"{round(seconds * 1000, 1):g}"
