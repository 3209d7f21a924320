"""Differences between actual and expected outcomes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydantic import JsonValue

from gateway.cli.demo.expected import (
    REPLAY,
    Answer,
    InvalidAnswer,
    Problem,
    accepted_commit,
    aggregate,
    degraded_success,
    failed_commit,
    failure,
    success,
)
from gateway.cli.demo.matchers import ExpectedJson, Matching, resolve_patterns
from gateway.cli.demo.outcome import Difference, Outcome
from gateway.cli.demo.scenario import post
from tests.cli.demo.sample_scenarios import (
    BOTH,
    BOUGHT,
    BUY,
    FAIL,
    FAILURE,
    FIRST,
    OUT_OF_STOCK,
    SHOP,
    STORE,
    STORED,
    SUCCESS,
    UNKNOWN_USER,
    with_calls,
)

REFUSED = Problem(409, "conflict", "inventory.reserve")


def build_replay_outcome(first: Answer | InvalidAnswer, second: Answer | InvalidAnswer) -> Outcome:
    """Build the outcome of a scenario that sends the request of `STORE` twice and expects a replay."""
    scenario = replace(STORE, answer=REPLAY, first=(STORE.request, success(201, id=Matching("a+"))))
    return replace(STORED, scenario=scenario, answers=(first, second))


def build_replay(**fields: JsonValue) -> Answer:
    """Build a success that is marked as replayed."""
    answer = success(201, **fields)
    return replace(answer, headers={**answer.headers, "Idempotent-Replayed": "true"})


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE, STORED])
def test_expected_outcome_passes(outcome: Outcome) -> None:
    assert outcome.has_passed


@pytest.mark.parametrize(
    ("outcome", "subject", "actual"),
    [
        (replace(FAILURE, answers=(replace(BOTH, status=500),)), "status", 500),
        (replace(FAILURE, answers=(replace(BOTH, code="invalid"),)), "code", "invalid"),
        (
            replace(FAILURE, answers=(aggregate(207, OUT_OF_STOCK, UNKNOWN_USER),)),
            "errors",
            (OUT_OF_STOCK, UNKNOWN_USER),
        ),
        (replace(SUCCESS, answers=(success(200, total="67.11"),)), "total", '"67.11"'),
        (replace(SUCCESS, answers=(success(200, total=67.1),)), "total", "67.1"),
        (replace(SUCCESS, answers=(success(200),)), "total", None),
        (replace(SUCCESS, answers=(replace(BOUGHT, headers={}),)), "Gateway-Completed", None),
        (with_calls(SUCCESS, (*SHOP.calls, "users.fetch")), "calls made", (*SHOP.calls, "users.fetch")),
        (with_calls(SUCCESS, SHOP.calls, FIRST), "calls cancelled", FIRST),
        (replace(SUCCESS, answers=(InvalidAnswer("nonsense", 200),)), "answer", "200, but nonsense"),
        (replace(SUCCESS, record=None), "record of the calls", None),
        (replace(SUCCESS, changes={"account.balances": {}}), "account.balances afterwards", "{}"),
    ],
)
def test_every_deviation_is_a_difference(outcome: Outcome, subject: str, actual: object) -> None:
    (difference,) = outcome.differences

    assert (difference.subject, difference.actual) == (subject, actual)
    assert not outcome.has_passed


@pytest.mark.parametrize("actual", [1, True])
def test_number_differs_from_boolean(actual: JsonValue) -> None:
    expected = success(200, quantity=1)
    outcome = Outcome(replace(BUY, answer=expected), (success(200, quantity=actual),), SUCCESS.record)

    assert outcome.has_passed is (actual is not True)


def test_answer_with_extra_fields_passes() -> None:
    more = replace(BOUGHT, fields={"total": "67.10", "user": {}}, headers={**BOUGHT.headers, "X": "y"})

    assert replace(SUCCESS, answers=(more,)).has_passed


def test_unexpected_call_is_a_difference() -> None:
    assert with_calls(FAILURE, SHOP.calls).differences == [
        Difference("calls made", FIRST, SHOP.calls),
        Difference("calls never made", ("pricing.tax",), ()),
    ]


@pytest.mark.parametrize("cancelled", [(), ("inventory.check",)])
def test_cancellable_call_may_be_cancelled_or_not(cancelled: tuple[str, ...]) -> None:
    fails_fast = replace(FAILURE, scenario=replace(FAIL, cancellable=("inventory.check",)))

    assert with_calls(fails_fast, FIRST, cancelled).has_passed


@pytest.mark.parametrize("cancelled", [(), ("inventory.check",)])
def test_expected_cancellation_is_required(cancelled: tuple[str, ...]) -> None:
    fails_fast = replace(FAILURE, scenario=replace(FAIL, cancelled=("inventory.check",)))

    assert with_calls(fails_fast, FIRST, cancelled).has_passed is bool(cancelled)


@pytest.mark.parametrize("actual", ["aab", "", None, 1])
def test_mismatched_field_is_a_difference(actual: JsonValue) -> None:
    answer = STORED.answers[0]
    assert isinstance(answer, Answer)

    (difference,) = replace(STORED, answers=(replace(answer, fields={"id": actual}),)).differences

    assert (difference.subject, difference.expected) == ("id", '"a string matching a+"')


def test_mismatched_header_is_a_difference() -> None:
    elsewhere = replace(success(201, id="a"), headers={"Gateway-Completed": "true", "Location": "/"})

    (difference,) = replace(STORED, answers=(elsewhere,)).differences

    assert difference == Difference("Location", "a string matching /executions/exe-[0-9a-f]{32}", "/")


@pytest.mark.parametrize(
    ("expected", "actual", "is_match"),
    [
        ({"id": Matching("a+"), "n": 1}, {"id": "aa", "n": 1}, True),
        ({"id": Matching("a+")}, {"id": "aa", "n": 1}, False),
        ({"id": Matching("a+")}, "aa", False),
        ([{"id": Matching("a+")}, 2], [{"id": "aa"}, 2], True),
        ([Matching("a+")], ["aa", "aa"], False),
        ([Matching("a+")], [], False),
        ([], [], True),
        (None, None, True),
    ],
)
def test_patterns_match_at_any_depth_of_json(
    expected: ExpectedJson,
    actual: JsonValue,
    is_match: bool,  # noqa: FBT001
) -> None:
    assert (resolve_patterns(expected, actual) == actual) is is_match


@pytest.mark.parametrize(
    ("changed", "has_passed"),
    [
        ({"inventory.stock": {"prod-456": 99}}, True),
        ({"inventory.stock": {"prod-456": 98}}, False),
        ({"inventory.stock": {"prod-456": 99}, "order.orders": ["one"]}, False),
        ({}, False),
    ],
)
def test_only_expected_state_changes_pass(
    changed: Mapping[str, JsonValue],
    has_passed: bool,  # noqa: FBT001
) -> None:
    scenario = replace(BUY, changes={"inventory.stock": {"prod-456": 99}})

    assert replace(SUCCESS, scenario=scenario, changes=changed).has_passed is has_passed


def test_replay_must_equal_first_answer_and_be_marked() -> None:
    first = success(201, id="aaa", more=1)

    assert build_replay_outcome(first, build_replay(id="aaa", more=1)).has_passed
    assert [
        difference.subject
        for difference in build_replay_outcome(first, build_replay(id="aa", more=1)).differences
    ] == ["id"]
    assert [difference.subject for difference in build_replay_outcome(first, first).differences] == [
        "Idempotent-Replayed"
    ]


def test_invalid_answer_cannot_be_replayed() -> None:
    differences = build_replay_outcome(InvalidAnswer("it broke"), success(201)).differences

    assert [difference.subject for difference in differences] == ["first answer", "answer"]


def test_wrong_first_answer_is_a_difference() -> None:
    scenario = replace(BUY, first=(post("/shop", "{}"), BOTH))
    outcome = replace(SUCCESS, scenario=scenario, answers=(aggregate(207, UNKNOWN_USER), BOUGHT))

    assert outcome.differences == [Difference("first errors", (UNKNOWN_USER, OUT_OF_STOCK), (UNKNOWN_USER,))]


def test_answer_builders_set_contract_fields() -> None:
    answers = accepted_commit("shop"), failed_commit(REFUSED), degraded_success(201, "notification", id=1)

    assert [{**answer.fields} for answer in answers] == [
        {"execution_id": Matching("exe-[0-9a-f]{32}"), "pipeline": "shop", "state": "running"},
        {"execution_id": Matching("exe-[0-9a-f]{32}")},
        {"id": 1, "notification": None, "degraded": ["notification"]},
    ]
    assert answers[1] == replace(failure(REFUSED), fields=answers[1].fields)
