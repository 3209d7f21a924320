"""Example failures of a pipeline."""

from typing import Final

import pytest

from gateway.api.openapi.failure_examples import exemplify_plan, exemplify_promise
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
    """Return the examples by name; of those with one name (`aggregate`, for each fault) the first."""
    examples: dict[str, Failure] = {}
    for name, failure in exemplify_plan(promise, Plan("plan", "", stages)):
        examples.setdefault(name, failure)
    return examples


def parts(failure: Failure) -> list[tuple[str, str | None]]:
    assert isinstance(failure, Aggregate)
    return [(part.code, part.source) for part in failure.errors]


def test_every_declared_refusal_of_every_call_is_shown() -> None:
    calls = refused("a.one", NotFound, Conflict), PLAIN
    plan = Plan("plan", "", (stage(*calls, policy=FAIL_FAST), stage(refused("b.two", NotFound))))

    assert [*exemplify_plan((NotFound, Conflict), plan)] == [
        ("a.one", NotFound("a.one was refused: not found", source="a.one")),
        ("b.two", NotFound("b.two was refused: not found", source="b.two")),
        ("a.one", Conflict("a.one was refused: conflict", source="a.one")),
    ]


def test_refusals_that_the_run_does_not_promise_are_not_shown() -> None:
    assert "a.one" not in found(stage(refused("a.one", Forbidden, Unavailable)))


def test_upstream_faults_are_those_of_the_first_required_call() -> None:
    optional = PlannedCall("a.extra", need=Need.OPTIONAL)

    assert found(stage(optional, PLAIN))["unavailable"].source == "a.plain"


def test_stuck_names_a_write_that_has_an_undo() -> None:
    write = PlannedCall("b.write", Kind.WRITE, undo="b.undo")

    assert found(stage(PLAIN, write, policy=SEQUENTIAL))["stuck"].detail.endswith(": b.write")


def test_an_undeclared_refusal_comes_from_the_first_shaped_call() -> None:
    shown = found(stage(PLAIN, shaped("b.shaped", NotFound)), promise=(NotFound, Conflict))

    assert shown["conflict"].source == "b.shaped"


def test_an_undeclared_refusal_without_such_a_call_has_no_source() -> None:
    assert found(stage(PLAIN), promise=(Conflict,)) == {"conflict": Conflict()}


@pytest.mark.parametrize("policy", [SETTLE, CONCURRENT])
def test_an_aggregate_is_in_argument_order_with_varied_codes(
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
    ids=["one", "two that merge", "one optional", "one not promised", "none"],
)
def test_no_aggregate_unless_two_calls_can_be_refused(calls: tuple[PlannedCall, ...]) -> None:
    assert "aggregate: one" not in found(stage(*calls))


@pytest.mark.parametrize("policy", [FAIL_FAST, SEQUENTIAL])
def test_no_aggregate_of_a_stage_that_stops_at_a_failure(policy: Policy | CommitPolicy) -> None:
    shown = found(stage(refused("a.one", NotFound), refused("a.two", NotFound), policy=policy))

    assert not [name for name in shown if name.startswith("aggregate")]


def test_no_aggregate_that_the_run_does_not_promise() -> None:
    both = refused("a.one", NotFound), refused("a.two", NotFound)

    assert [*found(stage(*both), promise=(NotFound,))] == ["a.one", "a.two"]


def test_a_shaped_call_can_be_refused_by_the_pipeline() -> None:
    shown = found(stage(refused("a.one", NotFound), shaped("a.two")), promise=(NotFound, Conflict, Aggregate))

    assert parts(shown["aggregate: one"]) == [("not-found", "a.one"), ("conflict", "a.two")]


def test_a_nested_stage_has_an_aggregate_of_its_own() -> None:
    within = PlannedStage("two", SETTLE, (refused("a.one", NotFound), refused("a.two", Conflict)))
    both = PlannedCall("both", Kind.NOTHING, then=(within,), is_shaped=True)
    shown = found(stage(both, refused("a.three", NotFound)))

    assert parts(shown["aggregate: two"]) == [("not-found", "a.one"), ("conflict", "a.two")]
    assert parts(shown["aggregate: one"]) == [("conflict", "a.two"), ("not-found", "a.three")]


def test_a_stage_nested_in_an_optional_call_has_no_aggregate() -> None:
    within = PlannedStage("two", SETTLE, (refused("a.one", NotFound), refused("a.two", Conflict)))

    assert "aggregate: two" not in found(stage(PlannedCall("b", need=Need.OPTIONAL, then=(within,))))


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ((refused("a.one", NotFound), PLAIN), [("not-found", "a.one"), ("bad-answer", "a.plain")]),
        ((PLAIN, refused("a.one", NotFound)), [("bad-answer", "a.plain"), ("bad-answer", "a.one")]),
    ],
)
def test_an_upstream_fault_is_combined_with_the_call_before_it(
    calls: tuple[PlannedCall, ...], wanted: list[tuple[str, str]]
) -> None:
    assert parts(found(stage(*calls))["aggregate"]) == wanted


def test_a_call_that_is_not_sent_has_no_upstream_fault() -> None:
    shown = found(stage(PlannedCall("a.known", Kind.NOTHING), PLAIN))

    assert "aggregate" not in shown
    assert shown["timed-out"].source == "a.plain"


def test_a_pipeline_without_calls_shows_no_failure() -> None:
    assert [*found(promise=(Unavailable, Stuck, Aggregate))] == []


def test_a_promise_without_a_plan_shows_each_error_alone() -> None:
    shown = [*exemplify_promise((NotFound, Unavailable))]

    assert [(name, type(failure)) for name, failure in shown] == [
        ("not-found", NotFound),
        ("unavailable", Unavailable),
    ]


@pytest.mark.parametrize(
    ("promised", "wanted"),
    [
        ((NotFound, Conflict), [("not-found", "conflict")]),
        ((NotFound,), [("not-found", "not-found")]),
        ((NotFound, Forbidden, Conflict, Stuck), [("not-found", "conflict")]),
        ((Forbidden,), [("forbidden", "forbidden")]),
        ((NotFound, TimedOut), [("not-found", "not-found"), ("not-found", "timed-out")]),
        ((Unavailable, TimedOut), [("unavailable", "unavailable"), ("unavailable", "timed-out")]),
        ((Stuck,), []),
    ],
)
def test_a_promise_without_a_plan_shows_aggregates(
    promised: tuple[type[Failure], ...], wanted: list[tuple[str, ...]]
) -> None:
    shown = exemplify_promise((*promised, Aggregate))

    assert [
        tuple(code for code, _ in parts(failure)) for name, failure in shown if name == "aggregate"
    ] == wanted
