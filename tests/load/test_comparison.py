"""Differences between a response and the expected one."""

import json
from collections.abc import Mapping
from typing import Final

import pytest

from load.case import ANY, Body, Case, Json
from load.comparison import VARYING, Response, find_differences

LOCATION: Final = f"/executions/exe-{'0' * 32}"
WHOLE: Final = {"Gateway-Completed": "true"}
CREATED: Final = {**WHOLE, "Location": LOCATION}
REPLAYED: Final = {**CREATED, "Idempotent-Replayed": "true"}
SAMPLES: Final = {
    "request_id": "7",
    "execution_id": f"exe-{'0' * 32}",
    "order_id": "ord-1f",
    "reservation_id": "res-1f",
    "transfer_id": "trf-1f",
    "notification_id": "ntf-1f",
    "event_id": "evt-1f",
    "balance": "974.00",
    "detail": "Out of stock: only 61 left",
}


def due(body: Body, status: int = 200) -> Case:
    return Case("one", "/path", None, status, body)


def found(
    came: Json,
    body: Body,
    status: int = 200,
    headers: Mapping[str, str] = WHOLE,
    first: Response | None = None,
) -> list[str]:
    return sorted(find_differences(Response(status, json.dumps(came), headers), due(body, status), first))


def test_what_is_due_differs_in_nothing() -> None:
    body: Body = {"total": "1.00", "tax": {"rate": "0.1"}, "posts": [{"likes": 1}], "code": None}

    assert found(body, body) == []


def test_a_field_that_is_missing_is_told() -> None:
    assert found({}, {"total": "1.00"}) == ["total is missing"]


def test_a_field_that_does_not_belong_there_is_told_though_it_is_null() -> None:
    assert found({"total": None}, {}) == ["total is not expected"]


@pytest.mark.parametrize(
    ("came", "wanted"),
    [
        ("2.00", "1.00"),
        (1, True),
        (1.0, 1),
        (None, ""),
        ([1, 2], [2, 1]),
        ({"rate": "0.1", "more": 1}, {"rate": "0.1"}),
    ],
)
def test_a_field_that_is_different_is_told_with_both(came: Json, wanted: Json) -> None:
    assert found({"it": came}, {"it": wanted}) == [
        f"it is {json.dumps(came, sort_keys=True)} instead of {json.dumps(wanted)}"
    ]


def test_all_that_differs_is_told() -> None:
    assert found({"a": 1, "b": 1}, {"b": 2, "c": 2}) == [
        "a is not expected",
        "b is 1 instead of 2",
        "c is missing",
    ]


def test_there_is_a_sample_of_all_that_varies() -> None:
    assert SAMPLES.keys() == VARYING.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_what_varies_can_be_anything_that_its_pattern_matches_wherever_it_stands(name: str) -> None:
    came, wanted = {name: SAMPLES[name]}, {name: ANY}

    assert found(came, wanted) == []
    assert found({"errors": [came]}, {"errors": [wanted]}) == []


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("came", ["", None, 7])
def test_what_varies_cannot_be_what_its_pattern_does_not_match(name: str, came: Json) -> None:
    assert found({name: came}, {name: ANY}) == [f'{name} is {json.dumps(came)} instead of "{ANY}"']


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"request_id"}))
def test_a_pattern_must_match_all_of_it(name: str) -> None:
    assert len(found({name: f"{SAMPLES[name]}!"}, {name: ANY})) == 1


def test_a_problem_needs_a_request_id() -> None:
    assert found({}, {"request_id": ANY}) == ["request_id is missing"]


def test_the_title_of_422_is_that_of_any_python() -> None:
    assert found({"title": "Unprocessable Entity"}, {"title": "Unprocessable Content"}) == []


@pytest.mark.parametrize("level", [51, 100])
def test_there_may_be_as_many_of_the_product_as_orders_leave(level: int) -> None:
    came: Body = {"product_id": "prod-456", "stock_level": level}

    assert found(came, {"product_id": "prod-456", "stock_level": ANY}) == []


@pytest.mark.parametrize(
    ("product_id", "level"),
    [("prod-456", 50), ("prod-456", 101), ("prod-456", True), ("prod-456", "60"), ("prod-1", 60)],
)
def test_there_may_be_no_other_number_and_of_no_other_product(product_id: str, level: Json) -> None:
    came: Body = {"product_id": product_id, "stock_level": level}

    assert len(found(came, {"product_id": product_id, "stock_level": ANY})) == 1


def test_of_another_status_nothing_else_is_told() -> None:
    assert [*find_differences(Response(0, "", {}), due({"total": "1.00"}))] == ["status 0 instead of 200"]


@pytest.mark.parametrize("text", ["", "<html>", "{"])
def test_a_body_that_is_not_json_is_told(text: str) -> None:
    assert [*find_differences(Response(200, text, WHOLE), due({}))] == ["the body is not JSON"]


@pytest.mark.parametrize("came", [[], "text", None, 7])
def test_a_body_that_is_no_object_is_told(came: Json) -> None:
    assert found(came, {}) == ["the body is not a JSON object"]


@pytest.mark.parametrize(
    ("status", "headers"), [(200, WHOLE), (201, CREATED), (404, {"Gateway-Completed": "false"})]
)
def test_an_answer_says_whether_it_is_whole_and_a_new_thing_where_it_is(
    status: int, headers: Mapping[str, str]
) -> None:
    assert found({}, {}, status, headers) == []


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (200, {}, "Gateway-Completed is None instead of true"),
        (404, WHOLE, "Gateway-Completed is true instead of false"),
        (201, WHOLE, "Location is None"),
        (201, {**WHOLE, "Location": "/executions/7"}, "Location is /executions/7"),
        (200, CREATED, f"Location is {LOCATION}"),
        (200, {**WHOLE, "Idempotent-Replayed": "true"}, "Idempotent-Replayed is true instead of None"),
    ],
)
def test_a_header_that_is_not_as_it_must_be_is_told(
    status: int, headers: Mapping[str, str], told: str
) -> None:
    assert found({}, {}, status, headers) == [told]


def test_what_is_sent_again_is_answered_with_the_same_and_says_so() -> None:
    assert found({}, {}, 201, REPLAYED, first=Response(201, "{}", CREATED)) == []


def test_what_is_not_the_same_the_second_time_is_told() -> None:
    other = f"/executions/exe-{'1' * 32}"

    assert found({}, {}, 201, CREATED, first=Response(201, "{ }", {**CREATED, "Location": other})) == [
        "Idempotent-Replayed is None instead of true",
        f"Location is {LOCATION} instead of {other}",
        "the body differs from that of the first response",
    ]
