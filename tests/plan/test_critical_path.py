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


def stage(*names: str, policy: Policy | CommitPolicy = SETTLE) -> PlannedStage:
    return PlannedStage("stage", policy, tuple(map(PlannedCall, names)))


def optional(name: str) -> PlannedCall:
    return PlannedCall(name, need=Need.OPTIONAL)


def schedule_stages(*stages: PlannedStage, **seconds: float) -> Schedule:
    return schedule(Plan("plan", "", stages), seconds, BUDGET)


def calls(steps: tuple[ScheduledStep, ...]) -> Mapping[str, ScheduledCall]:
    """Return every call by its name."""
    found: dict[str, ScheduledCall] = {}
    for step in steps:
        if isinstance(step, ScheduledStage):
            found |= calls(step.calls)
        else:
            found |= {step.call.name: step, **calls(step.then)}
    return found


def slack(of: Schedule) -> Mapping[str, float | None]:
    return {name: call.slack for name, call in calls(of.stages).items()}


@pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST, CONCURRENT])
def test_stage_takes_as_long_as_its_longest_call(policy: Policy | CommitPolicy) -> None:
    found = schedule_stages(stage("a", "b", policy=policy), stage("c"), a=3, b=5, c=2)

    assert found.seconds == 7
    assert [(call.name, seconds) for call, seconds in found.path] == [("b", 5), ("c", 2)]
    assert slack(found) == {"a": 2, "b": 0, "c": 0}


def test_first_of_equally_long_calls_is_on_the_path() -> None:
    found = schedule_stages(stage("a", "b", "c"), a=1, b=5, c=5)

    assert [call.name for call, _ in found.path] == ["b"]


def test_calls_of_a_sequential_commit_add_up_without_slack() -> None:
    found = schedule_stages(stage("a", "b", policy=SEQUENTIAL), a=3, b=5)

    assert found.seconds == 8
    assert [call.name for call, _ in found.path] == ["a", "b"]
    assert slack(found) == {"a": 0, "b": 0}


def test_sequential_time_is_the_sum_of_all_calls() -> None:
    assert schedule_stages(stage("a", "b"), stage("c"), a=3, b=5, c=2).sequential == 10


def test_optional_call_takes_at_most_its_budget() -> None:
    found = schedule_stages(PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.25, b=9)

    assert (found.seconds, found.sequential) == (BUDGET, 0.75)
    assert slack(found) == {"a": 0.25, "b": UNBOUNDED}


def test_optional_call_that_is_cut_off_first_has_any_slack() -> None:
    found = schedule_stages(PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.75, b=0.1)

    assert slack(found) == {"a": 0, "b": UNBOUNDED}


def test_optional_call_can_delay_a_stage_shorter_than_its_budget() -> None:
    found = schedule_stages(
        PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.375, b=0.125
    )

    assert slack(found) == {"a": 0, "b": 0.25}


def test_optional_call_without_a_budget_is_unlimited() -> None:
    plan = Plan("plan", "", (PlannedStage("stage", SETTLE, (optional("a"),)),))

    assert schedule(plan, {"a": 9}).seconds == 9


def test_following_steps_add_to_their_call() -> None:
    chain = PlannedCall("a", then=(PlannedCall("b"), stage("c", "d")))
    found = schedule_stages(PlannedStage("stage", SETTLE, (chain, PlannedCall("e"))), a=1, b=2, c=3, d=4, e=9)

    assert found.seconds == 9
    assert slack(found) == {"a": 2, "b": 2, "c": 3, "d": 2, "e": 0}


def test_call_without_a_request_takes_no_time() -> None:
    inner = PlannedCall("both", Kind.NOTHING, then=(stage("a", "b"),))
    found = schedule_stages(PlannedStage("stage", SETTLE, (inner, PlannedCall("x", Kind.NOTHING))), a=1, b=2)

    assert [call.name for call, _ in found.path] == ["b"]
    assert (found.seconds, found.unknown) == (2, ())


def test_unknown_call_leaves_a_lower_bound_and_no_slack() -> None:
    found = schedule_stages(stage("a", "b"), stage("c", "d"), a=1, b=2, c=4)

    assert (found.seconds, found.unknown, found.has_times) == (6, ("d",), True)
    assert slack(found) == {"a": 1, "b": 0, "c": None, "d": None}
    assert calls(found.stages)["d"].seconds is None


def test_schedule_without_known_calls_has_no_times() -> None:
    assert not schedule_stages(stage("a")).has_times


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

    def a_call(depth: int) -> PlannedCall:
        name = f"call-{next(names)}"
        seconds[name] = draw(times)
        inner = [a_stage(depth - 1)] if depth and draw(st.booleans()) else []
        return PlannedCall(name, need=draw(needs), then=tuple(inner))

    def a_stage(depth: int) -> PlannedStage:
        return PlannedStage(
            "stage", draw(policies), tuple(a_call(depth) for _ in range(draw(st.integers(1, 3))))
        )

    stages = tuple(a_stage(1) for _ in range(draw(st.integers(1, 3))))
    return Plan("plan", "", stages), seconds


@given(plans())
def test_critical_path_is_the_sum_of_the_stages(made: tuple[Plan, Mapping[str, float]]) -> None:
    found = schedule(*made, BUDGET)

    assert found.seconds == sum(stage.seconds for stage in found.stages) <= found.sequential


@given(plans())
def test_slack_is_the_longest_harmless_delay(
    made: tuple[Plan, Mapping[str, float]],
) -> None:
    plan, seconds = made
    found = schedule(plan, seconds, BUDGET)

    for name, late in slack(found).items():
        assert late is not None
        more = 100.0 if late == UNBOUNDED else late
        delayed = schedule(plan, {**seconds, name: seconds[name] + more}, BUDGET)
        assert delayed.seconds == found.seconds
        if late != UNBOUNDED:
            even_later = schedule(plan, {**seconds, name: seconds[name] + late + 0.125}, BUDGET)
            assert even_later.seconds > found.seconds


@given(plans())
def test_calls_on_the_path_have_no_slack_unless_cut_off(
    made: tuple[Plan, Mapping[str, float]],
) -> None:
    found = schedule(*made, BUDGET)

    by_name = slack(found)
    assert {by_name[call.name] for call, _ in found.path} <= {0.0, UNBOUNDED}
