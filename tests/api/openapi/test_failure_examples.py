"""Example failures of a pipeline, from its plan or its promised errors."""

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


def build_stage(*calls: PlannedCall, policy: Policy | CommitPolicy = SETTLE) -> PlannedStage:
    return PlannedStage("one", policy, calls)


def build_refusable(name: str, *kinds: type[Failure]) -> PlannedCall:
    return PlannedCall(name, refusals=kinds)


def build_shaped(name: str, *kinds: type[Failure]) -> PlannedCall:
    return PlannedCall(name, refusals=kinds, is_shaped=True)


def list_examples(*stages: PlannedStage, promise: tuple[type[Failure], ...] = PROMISE) -> dict[str, Failure]:
    """Return the examples by name; of examples with the same name, such as `aggregate`, only the first."""
    examples: dict[str, Failure] = {}
    for name, failure in exemplify_plan(promise, Plan("plan", "", stages)):
        examples.setdefault(name, failure)
    return examples


def list_parts(failure: Failure) -> list[tuple[str, str | None]]:
    assert isinstance(failure, Aggregate)
    return [(part.code, part.source) for part in failure.errors]


def test_all_declared_refusals_are_shown() -> None:
    calls = build_refusable("a.one", NotFound, Conflict), PLAIN
    plan = Plan(
        "plan", "", (build_stage(*calls, policy=FAIL_FAST), build_stage(build_refusable("b.two", NotFound)))
    )

    assert [*exemplify_plan((NotFound, Conflict), plan)] == [
        ("a.one", NotFound("a.one was refused: not found", source="a.one")),
        ("b.two", NotFound("b.two was refused: not found", source="b.two")),
        ("a.one", Conflict("a.one was refused: conflict", source="a.one")),
    ]


def test_unpromised_refusals_are_not_shown() -> None:
    assert "a.one" not in list_examples(build_stage(build_refusable("a.one", Forbidden, Unavailable)))


def test_upstream_fault_names_first_required_call() -> None:
    optional = PlannedCall("a.extra", need=Need.OPTIONAL)

    assert list_examples(build_stage(optional, PLAIN))["unavailable"].source == "a.plain"


def test_stuck_names_a_write_with_an_undo() -> None:
    write = PlannedCall("b.write", Kind.WRITE, undo="b.undo")

    assert list_examples(build_stage(PLAIN, write, policy=SEQUENTIAL))["stuck"].detail.endswith(": b.write")


def test_undeclared_refusal_names_derived_call() -> None:
    examples = list_examples(
        build_stage(PLAIN, build_shaped("b.shaped", NotFound)), promise=(NotFound, Conflict)
    )

    assert examples["conflict"].source == "b.shaped"


def test_undeclared_refusal_may_have_no_source() -> None:
    assert list_examples(build_stage(PLAIN), promise=(Conflict,)) == {"conflict": Conflict()}


@pytest.mark.parametrize("policy", [SETTLE, CONCURRENT])
def test_aggregate_has_different_codes_in_argument_order(
    policy: Policy | CommitPolicy,
) -> None:
    calls = build_refusable("b.one", NotFound, Conflict), PLAIN, build_refusable("a.two", NotFound)
    examples = list_examples(build_stage(*calls, policy=policy))

    assert list_parts(examples["aggregate: one"]) == [("conflict", "b.one"), ("not-found", "a.two")]


@pytest.mark.parametrize(
    "calls",
    [
        (build_refusable("a.one", NotFound, Conflict), PLAIN),
        (build_refusable("a.one", Invalid), build_refusable("a.two", Invalid)),
        (build_refusable("a.one", NotFound), PlannedCall("a.two", need=Need.OPTIONAL, refusals=(NotFound,))),
        (build_refusable("a.one", NotFound), build_refusable("a.two", Forbidden)),
        (PLAIN,),
    ],
    ids=["single call", "merged refusals", "optional call", "unpromised refusal", "no refusal"],
)
def test_aggregate_needs_two_refusable_calls(calls: tuple[PlannedCall, ...]) -> None:
    assert "aggregate: one" not in list_examples(build_stage(*calls))


@pytest.mark.parametrize("policy", [FAIL_FAST, SEQUENTIAL])
def test_stage_that_stops_early_has_no_aggregate(policy: Policy | CommitPolicy) -> None:
    examples = list_examples(
        build_stage(build_refusable("a.one", NotFound), build_refusable("a.two", NotFound), policy=policy)
    )

    assert not [name for name in examples if name.startswith("aggregate")]


def test_unpromised_aggregate_is_not_shown() -> None:
    both = build_refusable("a.one", NotFound), build_refusable("a.two", NotFound)

    assert [*list_examples(build_stage(*both), promise=(NotFound,))] == ["a.one", "a.two"]


def test_derived_call_can_have_undeclared_refusal() -> None:
    examples = list_examples(
        build_stage(build_refusable("a.one", NotFound), build_shaped("a.two")),
        promise=(NotFound, Conflict, Aggregate),
    )

    assert list_parts(examples["aggregate: one"]) == [("not-found", "a.one"), ("conflict", "a.two")]


def test_nested_stage_has_its_own_aggregate() -> None:
    within = PlannedStage(
        "two", SETTLE, (build_refusable("a.one", NotFound), build_refusable("a.two", Conflict))
    )
    both = PlannedCall("both", Kind.NOTHING, then=(within,), is_shaped=True)
    examples = list_examples(build_stage(both, build_refusable("a.three", NotFound)))

    assert list_parts(examples["aggregate: two"]) == [("not-found", "a.one"), ("conflict", "a.two")]
    assert list_parts(examples["aggregate: one"]) == [("conflict", "a.two"), ("not-found", "a.three")]


def test_stage_in_optional_call_has_no_aggregate() -> None:
    within = PlannedStage(
        "two", SETTLE, (build_refusable("a.one", NotFound), build_refusable("a.two", Conflict))
    )

    assert "aggregate: two" not in list_examples(
        build_stage(PlannedCall("b", need=Need.OPTIONAL, then=(within,)))
    )


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ((build_refusable("a.one", NotFound), PLAIN), [("not-found", "a.one"), ("bad-answer", "a.plain")]),
        ((PLAIN, build_refusable("a.one", NotFound)), [("bad-answer", "a.plain"), ("bad-answer", "a.one")]),
    ],
)
def test_upstream_fault_combines_with_previous_call(
    calls: tuple[PlannedCall, ...], expected: list[tuple[str, str]]
) -> None:
    assert list_parts(list_examples(build_stage(*calls))["aggregate"]) == expected


def test_call_without_request_has_no_fault_example() -> None:
    examples = list_examples(build_stage(PlannedCall("a.known", Kind.NOTHING), PLAIN))

    assert "aggregate" not in examples
    assert examples["timed-out"].source == "a.plain"


def test_pipeline_without_calls_shows_no_failure() -> None:
    assert [*list_examples(promise=(Unavailable, Stuck, Aggregate))] == []


def test_promise_without_plan_shows_each_error() -> None:
    examples = [*exemplify_promise((NotFound, Unavailable))]

    assert [(name, type(failure)) for name, failure in examples] == [
        ("not-found", NotFound),
        ("unavailable", Unavailable),
    ]


@pytest.mark.parametrize(
    ("promised", "expected"),
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
def test_promise_without_plan_shows_aggregates(
    promised: tuple[type[Failure], ...], expected: list[tuple[str, ...]]
) -> None:
    examples = exemplify_promise((*promised, Aggregate))

    assert [
        tuple(code for code, _ in list_parts(failure)) for name, failure in examples if name == "aggregate"
    ] == expected


def list_items(failure: Failure) -> list[tuple[str | None, int | None]]:
    assert isinstance(failure, Aggregate)
    return [(part.source, part.item) for part in failure.errors]


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a.one"], [("a.one", 0), ("a.one", 1)]), (["a.one", "a.two"], [("a.one", 0), ("a.two", 1)])],
)
def test_aggregate_of_list_shows_two_items(names: list[str], expected: list[tuple[str, int]]) -> None:
    calls = tuple(build_refusable(name, NotFound) for name in names)
    examples = list_examples(PlannedStage("one", SETTLE, calls, at_once=10))

    assert list_items(examples["aggregate: one"]) == expected
    assert list_items(examples["aggregate"]) == expected


def test_failing_fast_list_has_no_aggregate() -> None:
    call = build_refusable("a.one", NotFound)

    assert "aggregate: one" not in list_examples(PlannedStage("one", FAIL_FAST, (call,), at_once=10))
