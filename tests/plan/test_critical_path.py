"""Critical path of a plan, and the slack of its calls."""

from collections.abc import Mapping
from itertools import count
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.plan.critical_path import (
    UNBOUNDED,
    Schedule,
    ScheduledCall,
    ScheduledStage,
    ScheduledStep,
    schedule,
)
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage
from gateway.railway import CONCURRENT, FAIL_FAST, SEQUENTIAL, SETTLE, CommitPolicy, Policy

BUDGET: Final = 0.5


def build_stage(*names: str, policy: Policy | CommitPolicy = SETTLE) -> PlannedStage:
    return PlannedStage("stage", policy, tuple(map(PlannedCall, names)))


def build_optional(name: str) -> PlannedCall:
    return PlannedCall(name, need=Need.OPTIONAL)


def schedule_stages(*stages: PlannedStage, **seconds: float) -> Schedule:
    return schedule(Plan("plan", "", stages), seconds, BUDGET)


def index_calls(steps: tuple[ScheduledStep, ...]) -> Mapping[str, ScheduledCall]:
    """Return the scheduled calls by name."""
    found: dict[str, ScheduledCall] = {}
    for step in steps:
        if isinstance(step, ScheduledStage):
            found |= index_calls(step.calls)
        else:
            found |= {step.call.name: step, **index_calls(step.then)}
    return found


def index_slack(scheduled: Schedule) -> Mapping[str, float | None]:
    return {name: call.slack for name, call in index_calls(scheduled.stages).items()}


@pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST, CONCURRENT])
def test_longest_call_sets_stage_duration(policy: Policy | CommitPolicy) -> None:
    found = schedule_stages(build_stage("a", "b", policy=policy), build_stage("c"), a=3, b=5, c=2)

    assert found.seconds == 7
    assert [(call.name, seconds) for call, seconds in found.path] == [("b", 5), ("c", 2)]
    assert index_slack(found) == {"a": 2, "b": 0, "c": 0}


def test_tie_puts_first_call_on_critical_path() -> None:
    found = schedule_stages(build_stage("a", "b", "c"), a=1, b=5, c=5)

    assert [call.name for call, _ in found.path] == ["b"]


def test_sequential_commit_sums_call_durations() -> None:
    """The calls of a sequential commit add up, and have no slack."""
    found = schedule_stages(build_stage("a", "b", policy=SEQUENTIAL), a=3, b=5)

    assert found.seconds == 8
    assert [call.name for call, _ in found.path] == ["a", "b"]
    assert index_slack(found) == {"a": 0, "b": 0}


def test_sequential_time_sums_all_calls() -> None:
    assert schedule_stages(build_stage("a", "b"), build_stage("c"), a=3, b=5, c=2).sequential == 10


def test_optional_budget_caps_call_duration() -> None:
    found = schedule_stages(
        PlannedStage("stage", SETTLE, (PlannedCall("a"), build_optional("b"))), a=0.25, b=9
    )

    assert (found.seconds, found.sequential) == (BUDGET, 0.75)
    assert index_slack(found) == {"a": 0.25, "b": UNBOUNDED}


def test_call_cut_off_by_budget_has_unbounded_slack() -> None:
    """An optional call that its budget cuts off before the stage ends can never delay the stage."""
    found = schedule_stages(
        PlannedStage("stage", SETTLE, (PlannedCall("a"), build_optional("b"))), a=0.75, b=0.1
    )

    assert index_slack(found) == {"a": 0, "b": UNBOUNDED}


def test_optional_call_delays_short_stage() -> None:
    """An optional call can delay a stage that is shorter than the optional budget."""
    found = schedule_stages(
        PlannedStage("stage", SETTLE, (PlannedCall("a"), build_optional("b"))), a=0.375, b=0.125
    )

    assert index_slack(found) == {"a": 0, "b": 0.25}


def test_optional_call_without_budget_is_unlimited() -> None:
    plan = Plan("plan", "", (PlannedStage("stage", SETTLE, (build_optional("a"),)),))

    assert schedule(plan, {"a": 9}).seconds == 9


def test_bound_steps_add_to_duration_of_call() -> None:
    chain = PlannedCall("a", then=(PlannedCall("b"), build_stage("c", "d")))
    found = schedule_stages(PlannedStage("stage", SETTLE, (chain, PlannedCall("e"))), a=1, b=2, c=3, d=4, e=9)

    assert found.seconds == 9
    assert index_slack(found) == {"a": 2, "b": 2, "c": 3, "d": 2, "e": 0}


def test_call_without_request_takes_no_time() -> None:
    inner = PlannedCall("both", Kind.NOTHING, then=(build_stage("a", "b"),))
    found = schedule_stages(PlannedStage("stage", SETTLE, (inner, PlannedCall("x", Kind.NOTHING))), a=1, b=2)

    assert [call.name for call, _ in found.path] == ["b"]
    assert (found.seconds, found.unknown) == (2, ())


def test_unknown_duration_gives_lower_bound() -> None:
    """A call of unknown duration makes the total a lower bound; the slack of its stage is unknown too."""
    found = schedule_stages(build_stage("a", "b"), build_stage("c", "d"), a=1, b=2, c=4)

    assert (found.seconds, found.unknown, found.has_times) == (6, ("d",), True)
    assert index_slack(found) == {"a": 1, "b": 0, "c": None, "d": None}
    assert index_calls(found.stages)["d"].seconds is None


def test_schedule_without_durations_has_no_times() -> None:
    assert not schedule_stages(build_stage("a")).has_times


def test_empty_stage_takes_no_time() -> None:
    found = schedule_stages(PlannedStage("stage", SETTLE, ()))

    assert (found.seconds, found.path) == (0, ())


policies: Final[st.SearchStrategy[Policy | CommitPolicy]] = st.sampled_from(
    [SETTLE, FAIL_FAST, CONCURRENT, SEQUENTIAL]
)
needs: Final = st.sampled_from(Need)
times: Final = st.integers(0, 4).map(lambda quarters: quarters / 4)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, Mapping[str, float]]:
    """Build a plan with nested stages, and a duration for each of its calls in quarters of a second."""
    names = count()
    seconds: dict[str, float] = {}

    def draw_call(depth: int) -> PlannedCall:
        name = f"call-{next(names)}"
        seconds[name] = draw(times)
        inner = [draw_stage(depth - 1)] if depth and draw(st.booleans()) else []
        return PlannedCall(name, need=draw(needs), then=tuple(inner))

    def draw_stage(depth: int) -> PlannedStage:
        return PlannedStage(
            "stage", draw(policies), tuple(draw_call(depth) for _ in range(draw(st.integers(1, 3))))
        )

    stages = tuple(draw_stage(1) for _ in range(draw(st.integers(1, 3))))
    return Plan("plan", "", stages), seconds


@given(plans())
def test_stage_durations_sum_to_plan_duration(planned: tuple[Plan, Mapping[str, float]]) -> None:
    found = schedule(*planned, BUDGET)

    assert found.seconds == sum(stage.seconds for stage in found.stages) <= found.sequential


@given(plans())
def test_slack_is_the_longest_harmless_delay(
    planned: tuple[Plan, Mapping[str, float]],
) -> None:
    plan, seconds = planned
    found = schedule(plan, seconds, BUDGET)

    for name, delay in index_slack(found).items():
        assert delay is not None
        longest = 100.0 if delay == UNBOUNDED else delay
        delayed = schedule(plan, {**seconds, name: seconds[name] + longest}, BUDGET)
        assert delayed.seconds == found.seconds
        if delay != UNBOUNDED:
            overdue = schedule(plan, {**seconds, name: seconds[name] + delay + 0.125}, BUDGET)
            assert overdue.seconds > found.seconds


@given(plans())
def test_critical_calls_have_no_slack(
    planned: tuple[Plan, Mapping[str, float]],
) -> None:
    """Calls on the critical path have no slack, unless a budget cuts them off."""
    found = schedule(*planned, BUDGET)

    by_name = index_slack(found)
    assert {by_name[call.name] for call, _ in found.path} <= {0.0, UNBOUNDED}
