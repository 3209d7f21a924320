"""What is known of a pipeline, as JSON."""

from collections.abc import Iterator, Sequence
from typing import NotRequired

from typing_extensions import TypedDict  # for pydantic before Python 3.12

from gateway.api.endpoints.pipelines import Described, PipelineDescription
from gateway.plan.critical_path import UNBOUNDED, Schedule, ScheduledCall, ScheduledStage, ScheduledStep
from gateway.plan.plan import Kind

__all__ = ("CallTimes", "Explanation", "Times", "as_data")


class CallTimes(TypedDict):
    """The milliseconds that a call takes, and how many later it could end; null: it can never delay.

    What is not known is left out.
    """

    name: str
    ms: NotRequired[float]
    slack_ms: NotRequired[float | None]


class Times(TypedDict):
    """How long all takes, in milliseconds: at least, if there are *unknown* calls.

    *critical_path* names the longest call of each stage, and all of a commit in order.
    """

    critical_path_ms: float
    in_turn_ms: float
    critical_path: list[str]
    unknown: list[str]
    calls: list[CallTimes]


class Explanation(TypedDict):
    """A pipeline as `GET /pipelines` has it, and its times."""

    pipeline: PipelineDescription
    times: Times


def as_data(pipeline: Described, schedule: Schedule) -> Explanation:
    """Make data of *pipeline* and its *schedule*."""
    return {
        "pipeline": pipeline.description,
        "times": {
            "critical_path_ms": _ms(schedule.seconds),
            "in_turn_ms": _ms(schedule.in_turn),
            "critical_path": [call.name for call, _ in schedule.path],
            "unknown": [*schedule.unknown],
            "calls": [_times(call) for call in _calls(schedule.stages)],
        },
    }


def _calls(steps: Sequence[ScheduledStep]) -> Iterator[ScheduledCall]:
    for step in steps:
        if isinstance(step, ScheduledStage):
            yield from _calls(step.calls)
        else:
            if step.call.kind is not Kind.NOTHING:
                yield step
            yield from _calls(step.then)


def _times(call: ScheduledCall) -> CallTimes:
    times: CallTimes = {"name": call.call.name}
    if call.seconds is not None:
        times["ms"] = _ms(call.seconds)
    if call.slack is not None:
        times["slack_ms"] = None if call.slack == UNBOUNDED else _ms(call.slack)
    return times


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
