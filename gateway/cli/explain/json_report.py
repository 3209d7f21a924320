"""The explanation of a pipeline as JSON."""

from collections.abc import Iterator, Sequence
from typing import NotRequired

from typing_extensions import TypedDict  # for pydantic before Python 3.12

from gateway.api.pipeline_route.description import DescribedPipeline, PipelineDescription
from gateway.plan.critical_path import UNBOUNDED, Schedule, ScheduledCall, ScheduledStage, ScheduledStep
from gateway.plan.plan import Kind

__all__ = ("CallTimes", "Explanation", "Times", "build_explanation")


class CallTimes(TypedDict):
    """Time and slack of a call, in milliseconds; each is omitted if it is unknown.

    The slack is null if the call can never delay the answer.
    """

    name: str
    ms: NotRequired[float]
    slack_ms: NotRequired[float | None]


class Times(TypedDict):
    """Times of a pipeline in milliseconds; the totals are lower bounds if *unknown* names any calls.

    The same holds for a stage that makes its calls for each item of a list: it counts as a list of one item.

    *critical_path* names the longest call of each stage, and all calls of a sequential commit;
    *sequential_ms* is the time of the calls in sequence.
    """

    critical_path_ms: float
    sequential_ms: float
    critical_path: list[str]
    unknown: list[str]
    calls: list[CallTimes]


class Explanation(TypedDict):
    """A pipeline as `GET /pipelines` describes it, and its times."""

    pipeline: PipelineDescription
    times: Times


def build_explanation(pipeline: DescribedPipeline, schedule: Schedule) -> Explanation:
    """Build the explanation of *pipeline* with the times of its *schedule*."""
    return {
        "pipeline": pipeline.description,
        "times": {
            "critical_path_ms": _to_ms(schedule.seconds),
            "sequential_ms": _to_ms(schedule.sequential),
            "critical_path": [call.name for call, _ in schedule.path],
            "unknown": [*schedule.unknown],
            "calls": [_build_times(call) for call in _list_calls(schedule.stages)],
        },
    }


def _list_calls(steps: Sequence[ScheduledStep]) -> Iterator[ScheduledCall]:
    for step in steps:
        if isinstance(step, ScheduledStage):
            yield from _list_calls(step.calls)
        else:
            if step.call.kind is not Kind.NOTHING:
                yield step
            yield from _list_calls(step.then)


def _build_times(call: ScheduledCall) -> CallTimes:
    times: CallTimes = {"name": call.call.name}
    if call.seconds is not None:
        times["ms"] = _to_ms(call.seconds)
    if call.slack is not None:
        times["slack_ms"] = None if call.slack == UNBOUNDED else _to_ms(call.slack)
    return times


def _to_ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
