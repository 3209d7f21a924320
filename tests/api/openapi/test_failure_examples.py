"""How a pipeline can fail, by example."""

from typing import Final

import pytest

from gateway.api.openapi.failure_examples import foreseen
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage
from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    SEQUENTIAL,
    SETTLE,
    Aggregate,
    BadAnswer,
    CommitPolicy,
    Conflict,
    Failure,
    Forbidden,
    Invalid,
    NotFound,
    Policy,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
)

PROMISE: Final = (NotFound, Conflict, Invalid, BadAnswer, Unavailable, TimedOut, Unexpected, Stuck, Aggregate)
PLAIN: Final = PlannedCall("a.plain")


def stage(*calls: PlannedCall, policy: Policy | CommitPolicy = SETTLE) -> PlannedStage:
    return PlannedStage("one", policy, calls)


def refused(name: str, *kinds: type[Failure]) -> PlannedCall:
    return PlannedCall(name, refusals=kinds)


def shaped(name: str, *kinds: type[Failure]) -> PlannedCall:
    return PlannedCall(name, refusals=kinds, is_shaped=True)


def found(*stages: PlannedStage, promise: tuple[type[Failure], ...] = PROMISE) -> dict[str, Failure]:
    """Give the examples by name; of several with one name (`aggregate`, for each fault) the first."""
    examples: dict[str, Failure] = {}
    for name, failure in foreseen(promise, Plan("plan", "", stages)):
        examples.setdefault(name, failure)
    return examples


def parts(failure: Failure) -> list[tuple[str, str | None]]:
    assert isinstance(failure, Aggregate)
    return [(part.code, part.source) for part in failure.errors]


def test_each_call_that_can_be_refused_is_shown_refused_in_each_way() -> None:
    calls = refused("a.one", NotFound, Conflict), PLAIN
    plan = Plan("plan", "", (stage(*calls, policy=FAIL_FAST), stage(refused("b.two", NotFound))))

    assert [*foreseen((NotFound, Conflict), plan)] == [
        ("a.one", NotFound("a.one was refused: not found", source="a.one")),
        ("b.two", NotFound("b.two was refused: not found", source="b.two")),
        ("a.one", Conflict("a.one was refused: conflict", source="a.one")),
    ]


def test_a_reason_that_is_known_is_given() -> None:
    assert found(stage(refused("users.fetch", NotFound)))["users.fetch"] == NotFound(
        "User not found: nonexistent-user", source="users.fetch"
    )


def test_what_a_service_declares_and_the_run_does_not_promise_is_not_shown() -> None:
    assert "a.one" not in found(stage(refused("a.one", Forbidden, Unavailable)))


def test_services_are_at_fault_at_the_first_call_that_is_needed() -> None:
    optional = PlannedCall("a.extra", need=Need.OPTIONAL)

    assert found(stage(optional, PLAIN))["unavailable"].source == "a.plain"


def test_what_is_stuck_is_a_write_that_can_be_undone() -> None:
    write = PlannedCall("b.write", Kind.WRITE, undo="b.undo")

    assert found(stage(PLAIN, write, policy=SEQUENTIAL))["stuck"].detail.endswith(": b.write")


def test_a_refusal_that_no_service_declares_is_put_down_to_the_first_call_that_is_shaped() -> None:
    shown = found(stage(PLAIN, shaped("b.shaped", NotFound)), promise=(NotFound, Conflict))

    assert shown["conflict"].source == "b.shaped"


def test_without_such_a_call_it_is_put_down_to_none() -> None:
    assert found(stage(PLAIN), promise=(Conflict,)) == {"conflict": Conflict()}


@pytest.mark.parametrize("policy", [SETTLE, CONCURRENT])
def test_several_are_refused_in_argument_order_and_in_as_many_ways_as_there_are(
    policy: Policy | CommitPolicy,
) -> None:
    calls = refused("b.one", NotFound, Conflict), PLAIN, refused("a.two", NotFound)
    shown = found(stage(*calls, policy=policy))

    assert parts(shown["aggregate: one"]) == [("conflict", "b.one"), ("not-found", "a.two")]


@pytest.mark.parametrize(
    "calls",
    [
        (refused("a.one", NotFound, Conflict), PLAIN),
        (refused("a.one", Invalid), refused("a.two", Invalid)),
        (refused("a.one", NotFound), PlannedCall("a.two", need=Need.OPTIONAL, refusals=(NotFound,))),
        (refused("a.one", NotFound), refused("a.two", Forbidden)),
        (PLAIN,),
    ],
    ids=["only one can be refused", "told as one", "one is optional", "one is not promised", "none"],
)
def test_no_several_are_refused_where_no_two_can_be(calls: tuple[PlannedCall, ...]) -> None:
    assert "aggregate: one" not in found(stage(*calls))


@pytest.mark.parametrize("policy", [FAIL_FAST, SEQUENTIAL])
def test_a_stage_that_ends_with_its_first_failure_shows_no_several(policy: Policy | CommitPolicy) -> None:
    shown = found(stage(refused("a.one", NotFound), refused("a.two", NotFound), policy=policy))

    assert not [name for name in shown if name.startswith("aggregate")]


def test_a_run_that_does_not_promise_several_shows_none() -> None:
    both = refused("a.one", NotFound), refused("a.two", NotFound)

    assert [*found(stage(*both), promise=(NotFound,))] == ["a.one", "a.two"]


def test_a_shaped_call_may_be_refused_whatever_its_service_declares() -> None:
    shown = found(stage(refused("a.one", NotFound), shaped("a.two")), promise=(NotFound, Conflict, Aggregate))

    assert parts(shown["aggregate: one"]) == [("not-found", "a.one"), ("conflict", "a.two")]


def test_a_stage_within_a_call_shows_its_own_and_the_call_is_refused_as_its_calls_are() -> None:
    within = PlannedStage("two", SETTLE, (refused("a.one", NotFound), refused("a.two", Conflict)))
    both = PlannedCall("both", Kind.NOTHING, then=(within,), is_shaped=True)
    shown = found(stage(both, refused("a.three", NotFound)))

    assert parts(shown["aggregate: two"]) == [("not-found", "a.one"), ("conflict", "a.two")]
    assert parts(shown["aggregate: one"]) == [("conflict", "a.two"), ("not-found", "a.three")]


def test_a_stage_within_an_optional_call_shows_none() -> None:
    within = PlannedStage("two", SETTLE, (refused("a.one", NotFound), refused("a.two", Conflict)))

    assert "aggregate: two" not in found(stage(PlannedCall("b", need=Need.OPTIONAL, then=(within,))))


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ((refused("a.one", NotFound), PLAIN), [("not-found", "a.one"), ("bad-answer", "a.plain")]),
        ((PLAIN, refused("a.one", NotFound)), [("bad-answer", "a.plain"), ("bad-answer", "a.one")]),
    ],
)
def test_a_service_at_fault_is_told_with_what_befell_the_call_before_it(
    calls: tuple[PlannedCall, ...], wanted: list[tuple[str, str]]
) -> None:
    assert parts(found(stage(*calls))["aggregate"]) == wanted


def test_what_asks_no_service_is_at_no_fault() -> None:
    shown = found(stage(PlannedCall("a.known", Kind.NOTHING), PLAIN))

    assert "aggregate" not in shown
    assert shown["timed-out"].source == "a.plain"


def test_a_pipeline_that_calls_nobody_fails_in_no_way_that_can_be_shown() -> None:
    assert [*found(promise=(Unavailable, Stuck, Aggregate))] == []
