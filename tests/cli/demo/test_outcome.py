"""What differs from what had to come."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydantic import JsonValue

from gateway.cli.demo.expected import (
    AGAIN,
    Answer,
    NoAnswer,
    Problem,
    alone,
    degraded,
    running,
    several,
    undone,
    whole,
)
from gateway.cli.demo.matchers import Due, Like, filled
from gateway.cli.demo.outcome import Difference, Outcome
from gateway.cli.demo.scenario import post
from tests.cli.demo.sample_scenarios import (
    BOTH,
    BOUGHT,
    BUY,
    FAIL,
    FAILURE,
    FIRST,
    NO_STOCK,
    NO_USER,
    SHOP,
    STORE,
    STORED,
    SUCCESS,
    did,
)

REFUSED = Problem(409, "conflict", "inventory.reserve")


def twice(first: Answer | NoAnswer, second: Answer | NoAnswer) -> Outcome:
    """Send the request of `STORE` again, for which it has to be answered as before."""
    scenario = replace(STORE, answer=AGAIN, first=(STORE.request, whole(201, id=Like("a+"))))
    return replace(STORED, scenario=scenario, answers=(first, second))


def replayed(**fields: JsonValue) -> Answer:
    said = whole(201, **fields)
    return replace(said, headers={**said.headers, "Idempotent-Replayed": "true"})


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE, STORED])
def test_what_came_as_expected_is_right(outcome: Outcome) -> None:
    assert outcome.is_right


@pytest.mark.parametrize(
    ("outcome", "what", "came"),
    [
        (replace(FAILURE, answers=(replace(BOTH, status=500),)), "status", 500),
        (replace(FAILURE, answers=(replace(BOTH, code="invalid"),)), "code", "invalid"),
        (replace(FAILURE, answers=(several(207, NO_STOCK, NO_USER),)), "errors", (NO_STOCK, NO_USER)),
        (replace(SUCCESS, answers=(whole(200, total="67.11"),)), "total", '"67.11"'),
        (replace(SUCCESS, answers=(whole(200, total=67.1),)), "total", "67.1"),
        (replace(SUCCESS, answers=(whole(200),)), "total", None),
        (replace(SUCCESS, answers=(replace(BOUGHT, headers={}),)), "Gateway-Completed", None),
        (did(SUCCESS, (*SHOP.calls, "users.fetch")), "calls made", (*SHOP.calls, "users.fetch")),
        (did(SUCCESS, SHOP.calls, FIRST), "calls cancelled", FIRST),
        (replace(SUCCESS, answers=(NoAnswer("nonsense", 200),)), "answer", "200, but nonsense"),
        (replace(SUCCESS, record=None), "record of the calls", None),
        (replace(SUCCESS, changed={"account.balances": {}}), "account.balances afterwards", "{}"),
    ],
)
def test_whatever_came_otherwise_is_a_difference(outcome: Outcome, what: str, came: object) -> None:
    (difference,) = outcome.differences

    assert (difference.what, difference.came) == (what, came)
    assert not outcome.is_right


@pytest.mark.parametrize("came", [1, True])
def test_a_number_is_not_a_truth_value(came: JsonValue) -> None:
    due = whole(200, quantity=1)
    outcome = Outcome(replace(BUY, answer=due), (whole(200, quantity=came),), SUCCESS.record)

    assert outcome.is_right is (came is not True)


def test_what_an_answer_has_besides_is_no_difference() -> None:
    more = replace(BOUGHT, fields={"total": "67.10", "user": {}}, headers={**BOUGHT.headers, "X": "y"})

    assert replace(SUCCESS, answers=(more,)).is_right


def test_a_call_that_ought_not_to_have_been_made_is_a_difference() -> None:
    assert did(FAILURE, SHOP.calls).differences == [
        Difference("calls made", FIRST, SHOP.calls),
        Difference("calls never made", ("pricing.tax",), ()),
    ]


@pytest.mark.parametrize("cancelled", [(), ("inventory.check",)])
def test_a_call_that_may_be_cut_short_is_right_either_way(cancelled: tuple[str, ...]) -> None:
    fails_fast = replace(FAILURE, scenario=replace(FAIL, cancellable=("inventory.check",)))

    assert did(fails_fast, FIRST, cancelled).is_right


@pytest.mark.parametrize("cancelled", [(), ("inventory.check",)])
def test_a_call_that_must_be_cut_short_is_right_only_then(cancelled: tuple[str, ...]) -> None:
    fails_fast = replace(FAILURE, scenario=replace(FAIL, cancelled=("inventory.check",)))

    assert did(fails_fast, FIRST, cancelled).is_right is bool(cancelled)


@pytest.mark.parametrize("came", ["aab", "", None, 1])
def test_a_value_that_is_not_like_the_pattern_is_a_difference(came: JsonValue) -> None:
    header = STORED.answers[0]
    assert isinstance(header, Answer)

    (difference,) = replace(STORED, answers=(replace(header, fields={"id": came}),)).differences

    assert (difference.what, difference.expected) == ("id", '"something like a+"')


def test_a_header_that_is_not_like_the_pattern_is_a_difference() -> None:
    elsewhere = replace(whole(201, id="a"), headers={"Gateway-Completed": "true", "Location": "/"})

    (difference,) = replace(STORED, answers=(elsewhere,)).differences

    assert difference == Difference("Location", "something like /executions/exe-[0-9a-f]{32}", "/")


@pytest.mark.parametrize(
    ("due", "came", "is_right"),
    [
        ({"id": Like("a+"), "n": 1}, {"id": "aa", "n": 1}, True),
        ({"id": Like("a+")}, {"id": "aa", "n": 1}, False),
        ({"id": Like("a+")}, "aa", False),
        ([{"id": Like("a+")}, 2], [{"id": "aa"}, 2], True),
        ([Like("a+")], ["aa", "aa"], False),
        ([Like("a+")], [], False),
        ([], [], True),
        (None, None, True),
    ],
)
def test_patterns_may_stand_anywhere_in_a_value(due: Due, came: JsonValue, is_right: bool) -> None:  # noqa: FBT001
    assert (filled(due, came) == came) is is_right


@pytest.mark.parametrize(
    ("changed", "is_right"),
    [
        ({"inventory.stock": {"prod-456": 99}}, True),
        ({"inventory.stock": {"prod-456": 98}}, False),
        ({"inventory.stock": {"prod-456": 99}, "order.orders": ["one"]}, False),
        ({}, False),
    ],
)
def test_services_must_remember_what_the_scenario_says_and_nothing_else(
    changed: Mapping[str, JsonValue],
    is_right: bool,  # noqa: FBT001
) -> None:
    scenario = replace(BUY, left={"inventory.stock": {"prod-456": 99}})

    assert replace(SUCCESS, scenario=scenario, changed=changed).is_right is is_right


def test_an_answer_that_is_had_again_must_be_the_same_to_the_letter_and_say_so() -> None:
    first = whole(201, id="aaa", more=1)

    assert twice(first, replayed(id="aaa", more=1)).is_right
    assert [one.what for one in twice(first, replayed(id="aa", more=1)).differences] == ["id"]
    assert [one.what for one in twice(first, first).differences] == ["Idempotent-Replayed"]


def test_nothing_is_the_same_as_an_answer_that_was_none() -> None:
    differences = twice(NoAnswer("it broke"), whole(201)).differences

    assert [one.what for one in differences] == ["first answer", "answer"]


def test_a_first_answer_is_held_to_what_is_due_as_well() -> None:
    scenario = replace(BUY, first=(post("/shop", "{}"), BOTH))
    outcome = replace(SUCCESS, scenario=scenario, answers=(several(207, NO_USER), BOUGHT))

    assert outcome.differences == [Difference("first errors", (NO_USER, NO_STOCK), (NO_USER,))]


def test_answers_of_pipelines_that_write_say_where_to_look() -> None:
    answers = running("shop"), undone(REFUSED), degraded(201, "notification", id=1)

    assert [{**answer.fields} for answer in answers] == [
        {"execution_id": Like("exe-[0-9a-f]{32}"), "pipeline": "shop", "state": "running"},
        {"execution_id": Like("exe-[0-9a-f]{32}")},
        {"id": 1, "notification": None, "degraded": ["notification"]},
    ]
    assert answers[1] == replace(alone(REFUSED), fields=answers[1].fields)
