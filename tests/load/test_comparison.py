"""Differences between the received and the expected response."""

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


def make_case(body: Body, status: int = 200) -> Case:
    return Case("one", "/path", None, status, body)


def compare(
    received: Json,
    expected: Body,
    status: int = 200,
    headers: Mapping[str, str] = WHOLE,
    first: Response | None = None,
) -> list[str]:
    return sorted(
        find_differences(Response(status, json.dumps(received), headers), make_case(expected, status), first)
    )


def test_expected_body_has_no_differences() -> None:
    body: Body = {"total": "1.00", "tax": {"rate": "0.1"}, "posts": [{"likes": 1}], "code": None}

    assert compare(body, body) == []


def test_missing_field_is_reported() -> None:
    assert compare({}, {"total": "1.00"}) == ["total is missing"]


def test_unexpected_null_field_is_reported() -> None:
    assert compare({"total": None}, {}) == ["total is not expected"]


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        ("2.00", "1.00"),
        (1, True),
        (1.0, 1),
        (None, ""),
        ([1, 2], [2, 1]),
        ({"rate": "0.1", "more": 1}, {"rate": "0.1"}),
    ],
)
def test_difference_shows_received_and_expected_value(received: Json, expected: Json) -> None:
    assert compare({"name": received}, {"name": expected}) == [
        f"name is {json.dumps(received, sort_keys=True)} instead of {json.dumps(expected)}"
    ]


def test_all_differences_are_reported() -> None:
    assert compare({"a": 1, "b": 1}, {"b": 2, "c": 2}) == [
        "a is not expected",
        "b is 1 instead of 2",
        "c is missing",
    ]


def test_every_varying_field_has_sample() -> None:
    assert SAMPLES.keys() == VARYING.keys()


@pytest.mark.parametrize("name", SAMPLES)
def test_varying_value_matches_pattern_at_any_depth(name: str) -> None:
    received, expected = {name: SAMPLES[name]}, {name: ANY}

    assert compare(received, expected) == []
    assert compare({"errors": [received]}, {"errors": [expected]}) == []


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("received", ["", None, 7])
def test_varying_value_outside_pattern_is_reported(name: str, received: Json) -> None:
    assert compare({name: received}, {name: ANY}) == [f'{name} is {json.dumps(received)} instead of "{ANY}"']


@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"request_id"}))
def test_pattern_must_match_whole_value(name: str) -> None:
    assert len(compare({name: f"{SAMPLES[name]}!"}, {name: ANY})) == 1


def test_missing_request_id_is_reported() -> None:
    assert compare({}, {"request_id": ANY}) == ["request_id is missing"]


@pytest.mark.parametrize("level", [51, 100])
def test_stock_level_in_range_is_accepted(level: int) -> None:
    received: Body = {"product_id": "prod-456", "stock_level": level}

    assert compare(received, {"product_id": "prod-456", "stock_level": ANY}) == []


@pytest.mark.parametrize(
    ("product_id", "level"),
    [("prod-456", 50), ("prod-456", 101), ("prod-456", True), ("prod-456", "60"), ("prod-1", 60)],
)
def test_implausible_stock_level_is_reported(product_id: str, level: Json) -> None:
    received: Body = {"product_id": product_id, "stock_level": level}

    assert len(compare(received, {"product_id": product_id, "stock_level": ANY})) == 1


def test_wrong_status_hides_other_differences() -> None:
    assert [*find_differences(Response(0, "", {}), make_case({"total": "1.00"}))] == [
        "status 0 instead of 200"
    ]


@pytest.mark.parametrize("text", ["", "<html>", "{"])
def test_non_json_body_is_reported(text: str) -> None:
    assert [*find_differences(Response(200, text, WHOLE), make_case({}))] == ["the body is not JSON"]


@pytest.mark.parametrize("received", [[], "text", None, 7])
def test_non_object_body_is_reported(received: Json) -> None:
    assert compare(received, {}) == ["the body is not a JSON object"]


@pytest.mark.parametrize(
    ("status", "headers"), [(200, WHOLE), (201, CREATED), (404, {"Gateway-Completed": "false"})]
)
def test_expected_headers_have_no_differences(status: int, headers: Mapping[str, str]) -> None:
    assert compare({}, {}, status, headers) == []


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (200, {}, "Gateway-Completed is None instead of true"),
        (404, WHOLE, "Gateway-Completed is true instead of false"),
        (201, WHOLE, "unexpected Location: None"),
        (201, {**WHOLE, "Location": "/executions/7"}, "unexpected Location: /executions/7"),
        (200, CREATED, f"unexpected Location: {LOCATION}"),
        (200, {**WHOLE, "Idempotent-Replayed": "true"}, "Idempotent-Replayed is true instead of None"),
    ],
)
def test_wrong_header_is_reported(status: int, headers: Mapping[str, str], message: str) -> None:
    assert compare({}, {}, status, headers) == [message]


def test_replayed_response_has_no_differences() -> None:
    assert compare({}, {}, 201, REPLAYED, first=Response(201, "{}", CREATED)) == []


def test_changed_replay_is_reported() -> None:
    other = f"/executions/exe-{'1' * 32}"

    assert compare({}, {}, 201, CREATED, first=Response(201, "{ }", {**CREATED, "Location": other})) == [
        "Idempotent-Replayed is None instead of true",
        f"Location is {LOCATION} instead of {other}",
        "the body differs from the first response's",
    ]
