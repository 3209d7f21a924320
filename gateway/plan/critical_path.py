"""Critical path of a plan, and the slack of each call: the extra time that does not delay the plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias, final

from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step
from gateway.railway import SEQUENTIAL

__all__ = ("UNBOUNDED", "Schedule", "ScheduledCall", "ScheduledStage", "ScheduledStep", "schedule")

UNBOUNDED: Final = float("inf")
"""Slack of a call that can never delay its stage, because its time limit cuts it off first."""


@final
@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A call with its duration and its slack, in seconds.

    - *seconds*: duration of the call without the steps in *then*, None if unknown
    - *slack*: how much longer the call could take without delaying the plan; None if the stage of the call,
      or a stage around that stage, has a call of unknown duration
    - *then*: steps that are bound to the call
    """

    call: PlannedCall
    seconds: float | None
    slack: float | None
    then: "tuple[ScheduledStep, ...]" = ()


@final
@dataclass(frozen=True, slots=True)
class ScheduledStage:
    """A stage with its duration in *seconds*: a lower bound if the duration of a call is unknown."""

    stage: PlannedStage
    seconds: float
    calls: tuple[ScheduledCall, ...]


ScheduledStep: TypeAlias = ScheduledCall | ScheduledStage


@final
@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan with times, in seconds. The times are lower bounds if a call has an unknown duration.

    They are also lower bounds if a stage makes its calls for a list: it counts as a list of one item.

    - *seconds*: duration of the plan
    - *sequential*: sum of the durations of all calls
    - *path*: calls on the critical path, each with its seconds, None if unknown: the longest call of each
      stage (in a tie, the first), and every call of a sequential commit
    - *unknown*: names of the calls with an unknown duration
    - *has_times*: True if the duration of at least one call is known
    """

    stages: tuple[ScheduledStage, ...]
    seconds: float
    sequential: float
    path: tuple[tuple[PlannedCall, float | None], ...]
    unknown: tuple[str, ...]
    has_times: bool


def schedule(plan: Plan, seconds: Mapping[str, float], optional_budget: float | None = None) -> Schedule:
    """Return the schedule of *plan*; *seconds* maps the names of calls to their durations.

    A call that is missing from *seconds* has an unknown duration. An optional or best-effort call takes at
    most *optional_budget* seconds, if that is set.
    """
    return _Scheduler(seconds, optional_budget).schedule(plan)


@final
class _Scheduler:
    def __init__(self, seconds: Mapping[str, float], optional_budget: float | None) -> None:
        self._seconds = seconds
        self._budget = UNBOUNDED if optional_budget is None else optional_budget

    def schedule(self, plan: Plan) -> Schedule:
        names = dict.fromkeys(call.name for call in plan.calls)
        return Schedule(
            tuple(self._schedule_stage(stage, 0.0) for stage in plan.stages),
            sum(map(self._duration_of, plan.stages)),
            sum(self._seconds_of(call) or 0.0 for call in plan.calls),
            tuple(chain.from_iterable(map(self._find_path, plan.stages))),
            tuple(name for name in names if name not in self._seconds),
            any(name in self._seconds for name in names),
        )

    def _seconds_of(self, call: PlannedCall) -> float | None:
        """Return the seconds of *call* without the steps that are bound to it, None if unknown."""
        if call.kind is Kind.NOTHING:
            return 0.0
        known = self._seconds.get(call.name)
        return known and min(known, self._time_limit_of(call))

    def _time_limit_of(self, call: PlannedCall) -> float:
        return UNBOUNDED if call.need is Need.REQUIRED else self._budget

    def _duration_of(self, step: Step) -> float:
        if isinstance(step, PlannedCall):
            duration = (self._seconds_of(step) or 0.0) + sum(map(self._duration_of, step.then))
            return min(duration, self._time_limit_of(step))
        durations = [self._duration_of(call) for call in step.calls]
        return sum(durations) if step.policy is SEQUENTIAL else max(durations, default=0.0)

    def _schedule_stage(self, stage: PlannedStage, slack: float | None) -> ScheduledStage:
        """Schedule *stage*, which could end *slack* seconds later without delaying the plan."""
        duration = self._duration_of(stage)
        if not all(self._is_known(call) for call in stage.calls):
            slack = None
        calls: list[ScheduledCall] = []
        for call in stage.calls:
            wait = 0.0 if stage.policy is SEQUENTIAL else duration - self._duration_of(call)
            calls.append(self._schedule_call(call, None if slack is None else slack + wait))
        return ScheduledStage(stage, duration, tuple(calls))

    def _schedule_call(self, call: PlannedCall, slack: float | None) -> ScheduledCall:
        if slack is not None and self._time_limit_of(call) <= self._duration_of(call) + slack:
            slack = UNBOUNDED
        then = tuple(self._schedule_step(step, slack) for step in call.then)
        return ScheduledCall(call, self._seconds_of(call), slack, then)

    def _schedule_step(self, step: Step, slack: float | None) -> ScheduledStep:
        if isinstance(step, PlannedStage):
            return self._schedule_stage(step, slack)
        return self._schedule_call(step, slack)

    def _is_known(self, step: Step) -> bool:
        if isinstance(step, PlannedCall):
            return self._seconds_of(step) is not None and all(map(self._is_known, step.then))
        return all(map(self._is_known, step.calls))

    def _find_path(self, step: Step) -> Iterator[tuple[PlannedCall, float | None]]:
        onward: Sequence[Step]
        if isinstance(step, PlannedCall):
            yield from () if step.kind is Kind.NOTHING else ((step, self._seconds_of(step)),)
            onward = step.then
        else:
            longest = sorted(step.calls, key=self._duration_of, reverse=True)
            onward = step.calls if step.policy is SEQUENTIAL else longest[:1]
        yield from chain.from_iterable(map(self._find_path, onward))
