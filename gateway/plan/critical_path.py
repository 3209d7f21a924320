"""When the calls of a plan end: the critical path, and how much later each call could end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias, final

from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step
from gateway.railway import SEQUENTIAL

__all__ = ("UNBOUNDED", "Schedule", "ScheduledCall", "ScheduledStage", "ScheduledStep", "schedule")

UNBOUNDED: Final = float("inf")
"""The slack of a call that is cut off before it could delay anything."""


@final
@dataclass(frozen=True, slots=True)
class ScheduledCall:
    """A call that takes so many *seconds*, and could take as many more as its *slack* without any delay.

    Both are None where they are not known; *slack* as well where that of another call of its stage is not.
    """

    call: PlannedCall
    seconds: float | None
    slack: float | None
    then: "tuple[ScheduledStep, ...]" = ()


@final
@dataclass(frozen=True, slots=True)
class ScheduledStage:
    """A stage that takes so many *seconds*: at least, unless every time is known."""

    stage: PlannedStage
    seconds: float
    calls: tuple[ScheduledCall, ...]


ScheduledStep: TypeAlias = ScheduledCall | ScheduledStage


@final
@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan with times: in *seconds* as a whole, and *in_turn* with one call after the other.

    They are so many at least, where the times of the *unknown* calls are not known. *path* is the critical
    path with its seconds: the longest call of each stage, the first of several, and every call of a commit
    in order.
    """

    stages: tuple[ScheduledStage, ...]
    seconds: float
    in_turn: float
    path: tuple[tuple[PlannedCall, float | None], ...]
    unknown: tuple[str, ...]
    knows_any: bool
    """Some time is known."""


def schedule(plan: Plan, seconds: Mapping[str, float], optional_budget: float | None = None) -> Schedule:
    """Reckon with the *seconds* that calls take, by name; one that is not required has *optional_budget*."""
    return _Reckoning(seconds, optional_budget).schedule(plan)


@final
class _Reckoning:
    def __init__(self, seconds: Mapping[str, float], optional_budget: float | None) -> None:
        self._seconds = seconds
        self._budget = UNBOUNDED if optional_budget is None else optional_budget

    def schedule(self, plan: Plan) -> Schedule:
        names = dict.fromkeys(call.name for call in plan.calls)
        return Schedule(
            tuple(self._staged(stage, 0.0) for stage in plan.stages),
            sum(map(self._length, plan.stages)),
            sum(self._own(call) or 0.0 for call in plan.calls),
            tuple(chain.from_iterable(map(self._path, plan.stages))),
            tuple(name for name in names if name not in self._seconds),
            any(name in self._seconds for name in names),
        )

    def _own(self, call: PlannedCall) -> float | None:
        """Give the seconds that *call* itself takes, at most those that it has."""
        if call.kind is Kind.NOTHING:
            return 0.0
        known = self._seconds.get(call.name)
        return known and min(known, self._limit(call))

    def _limit(self, call: PlannedCall) -> float:
        return UNBOUNDED if call.need is Need.REQUIRED else self._budget

    def _length(self, step: Step) -> float:
        if isinstance(step, PlannedCall):
            return min((self._own(step) or 0.0) + sum(map(self._length, step.then)), self._limit(step))
        lengths = [self._length(call) for call in step.calls]
        return sum(lengths) if step.policy is SEQUENTIAL else max(lengths, default=0.0)

    def _staged(self, stage: PlannedStage, spare: float | None) -> ScheduledStage:
        """Schedule *stage*, which could end *spare* seconds later."""
        length = self._length(stage)
        if not all(self._is_known(call) for call in stage.calls):
            spare = None
        calls: list[ScheduledCall] = []
        for call in stage.calls:
            wait = 0.0 if stage.policy is SEQUENTIAL else length - self._length(call)
            calls.append(self._called(call, None if spare is None else spare + wait))
        return ScheduledStage(stage, length, tuple(calls))

    def _called(self, call: PlannedCall, slack: float | None) -> ScheduledCall:
        if slack is not None and self._limit(call) <= self._length(call) + slack:
            slack = UNBOUNDED
        then = tuple(self._stepped(step, slack) for step in call.then)
        return ScheduledCall(call, self._own(call), slack, then)

    def _stepped(self, step: Step, spare: float | None) -> ScheduledStep:
        return self._staged(step, spare) if isinstance(step, PlannedStage) else self._called(step, spare)

    def _is_known(self, step: Step) -> bool:
        if isinstance(step, PlannedCall):
            return self._own(step) is not None and all(map(self._is_known, step.then))
        return all(map(self._is_known, step.calls))

    def _path(self, step: Step) -> Iterator[tuple[PlannedCall, float | None]]:
        onward: Sequence[Step]
        if isinstance(step, PlannedCall):
            yield from () if step.kind is Kind.NOTHING else ((step, self._own(step)),)
            onward = step.then
        else:
            longest = sorted(step.calls, key=self._length, reverse=True)
            onward = step.calls if step.policy is SEQUENTIAL else longest[:1]
        yield from chain.from_iterable(map(self._path, onward))
