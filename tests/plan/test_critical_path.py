"""What is on the critical path, and how much later everything else could end."""

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


def reckoned(*stages: PlannedStage, **seconds: float) -> Schedule:
    return schedule(Plan("plan", "", stages), seconds, BUDGET)


def calls(steps: tuple[ScheduledStep, ...]) -> Mapping[str, ScheduledCall]:
    """Give every call by its name."""
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
def test_a_stage_takes_as_long_as_its_longest_call(policy: Policy | CommitPolicy) -> None:
    found = reckoned(stage("a", "b", policy=policy), stage("c"), a=3, b=5, c=2)

    assert found.seconds == 7
    assert [(call.name, seconds) for call, seconds in found.path] == [("b", 5), ("c", 2)]
    assert slack(found) == {"a": 2, "b": 0, "c": 0}


def test_the_first_of_several_that_are_as_long_is_on_the_path() -> None:
    found = reckoned(stage("a", "b", "c"), a=1, b=5, c=5)

    assert [call.name for call, _ in found.path] == ["b"]


def test_the_calls_of_a_commit_in_order_add_up_and_none_has_slack() -> None:
    found = reckoned(stage("a", "b", policy=SEQUENTIAL), a=3, b=5)

    assert found.seconds == 8
    assert [call.name for call, _ in found.path] == ["a", "b"]
    assert slack(found) == {"a": 0, "b": 0}


def test_one_after_the_other_is_every_call() -> None:
    assert reckoned(stage("a", "b"), stage("c"), a=3, b=5, c=2).in_turn == 10


def test_an_optional_call_takes_no_longer_than_it_has() -> None:
    found = reckoned(PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.25, b=9)

    assert (found.seconds, found.in_turn) == (BUDGET, 0.75)
    assert slack(found) == {"a": 0.25, "b": UNBOUNDED}


def test_an_optional_call_whose_time_ends_before_the_stage_never_delays_it() -> None:
    found = reckoned(PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.75, b=0.1)

    assert slack(found) == {"a": 0, "b": UNBOUNDED}


def test_an_optional_call_can_delay_a_stage_that_ends_before_its_time() -> None:
    found = reckoned(PlannedStage("stage", SETTLE, (PlannedCall("a"), optional("b"))), a=0.375, b=0.125)

    assert slack(found) == {"a": 0, "b": 0.25}


def test_without_a_budget_nothing_is_cut_off() -> None:
    plan = Plan("plan", "", (PlannedStage("stage", SETTLE, (optional("a"),)),))

    assert schedule(plan, {"a": 9}).seconds == 9


def test_what_a_call_goes_on_with_adds_to_it() -> None:
    chain = PlannedCall("a", then=(PlannedCall("b"), stage("c", "d")))
    found = reckoned(PlannedStage("stage", SETTLE, (chain, PlannedCall("e"))), a=1, b=2, c=3, d=4, e=9)

    assert found.seconds == 9
    assert slack(found) == {"a": 2, "b": 2, "c": 3, "d": 2, "e": 0}


def test_what_asks_nobody_takes_no_time() -> None:
    inner = PlannedCall("both", Kind.NOTHING, then=(stage("a", "b"),))
    found = reckoned(PlannedStage("stage", SETTLE, (inner, PlannedCall("x", Kind.NOTHING))), a=1, b=2)

    assert [call.name for call, _ in found.path] == ["b"]
    assert (found.seconds, found.unknown) == (2, ())


def test_a_time_that_is_not_known_makes_a_least_of_the_whole_and_no_slack_in_its_stage() -> None:
    found = reckoned(stage("a", "b"), stage("c", "d"), a=1, b=2, c=4)

    assert (found.seconds, found.unknown, found.knows_any) == (6, ("d",), True)
    assert slack(found) == {"a": 1, "b": 0, "c": None, "d": None}
    assert calls(found.stages)["d"].seconds is None


def test_where_no_time_is_known_none_is_said() -> None:
    assert not reckoned(stage("a")).knows_any


def test_nothing_is_in_no_time() -> None:
    found = reckoned(PlannedStage("stage", SETTLE, ()))

    assert (found.seconds, found.path) == (0, ())


policies: Final[st.SearchStrategy[Policy | CommitPolicy]] = st.sampled_from(
    [SETTLE, FAIL_FAST, CONCURRENT, SEQUENTIAL]
)
needs: Final = st.sampled_from(Need)
times: Final = st.integers(0, 4).map(lambda quarters: quarters / 4)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, Mapping[str, float]]:
    """Make a plan of stages in calls in stages, and quarters of a second for each of its calls."""
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
def test_the_critical_path_is_as_long_as_the_stages_together(made: tuple[Plan, Mapping[str, float]]) -> None:
    found = schedule(*made, BUDGET)

    assert found.seconds == sum(one.seconds for one in found.stages) <= found.in_turn


@given(plans())
def test_a_call_that_ends_as_much_later_as_its_slack_delays_nothing_and_any_more_does(
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
def test_the_calls_on_the_path_have_no_slack_unless_they_are_cut_off(
    made: tuple[Plan, Mapping[str, float]],
) -> None:
    found = schedule(*made, BUDGET)

    by_name = slack(found)
    assert {by_name[call.name] for call, _ in found.path} <= {0.0, UNBOUNDED}
