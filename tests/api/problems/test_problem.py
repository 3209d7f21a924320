"""Problems, statuses and headers of failures."""

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import build_headers, build_problem, build_problem_response, map_to_status
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Failure,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    combine_failures,
)


def to_problem(failure: Failure) -> dict[str, Any]:
    return {**build_problem(failure, instance="/baskets", request_id="request-1")}


def test_problem_members_are_exact() -> None:
    failure = NotFound("User not found: user-1", source="users.fetch")

    assert to_problem(failure) == {
        "type": "/problems/not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "User not found: user-1",
        "instance": "/baskets",
        "code": "not-found",
        "source": "users.fetch",
        "request_id": "request-1",
    }


def test_problem_without_source_omits_it() -> None:
    assert "source" not in to_problem(Conflict("no"))


def test_missing_detail_defaults_to_status_phrase() -> None:
    assert to_problem(Conflict())["detail"] == "Conflict"


def test_invalid_problem_lists_violations() -> None:
    violations = (("address", ("required", "blank")), ("", ("no",)))

    assert to_problem(Invalid("no", violations=violations))["violations"] == [
        {"field": "address", "messages": ["required", "blank"]},
        {"field": "", "messages": ["no"]},
    ]


def test_problem_of_list_item_has_its_position() -> None:
    assert to_problem(NotFound(item=0))["item"] == 0
    assert "item" not in to_problem(NotFound())


def test_aggregate_lists_item_of_each_part() -> None:
    errors = to_problem(Aggregate((NotFound(item=0), Conflict(item=3), Forbidden())))["errors"]

    assert [part.get("item") for part in errors] == [0, 3, None]


def test_merged_violations_have_their_own_items() -> None:
    refused = Invalid("no", violations=(("amount", ("too much",)),))
    both = combine_failures([replace(refused, item=1), refused, replace(refused, item=3)])

    assert "item" not in to_problem(both)
    assert to_problem(both)["violations"] == [
        {"field": "amount", "messages": ["too much"], "item": 1},
        {"field": "amount", "messages": ["too much"]},
        {"field": "amount", "messages": ["too much"], "item": 3},
    ]


def test_client_error_aggregate_is_207() -> None:
    parts = (NotFound("a", source="users.fetch"), Invalid("b", violations=(("", ("b",)),)))

    assert to_problem(Aggregate(parts)) == {
        "type": "/problems/aggregate",
        "title": "Multi-Status",
        "status": 207,
        "detail": "2 calls failed",
        "instance": "/baskets",
        "code": "aggregate",
        "completed": False,
        "errors": [
            {
                "type": "/problems/not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "a",
                "code": "not-found",
                "source": "users.fetch",
            },
            {
                "type": "/problems/invalid",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "b",
                "code": "invalid",
                "violations": [{"field": "", "messages": ["b"]}],
            },
        ],
        "request_id": "request-1",
    }


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ((NotFound(), Conflict(), Forbidden()), 207),
        ((NotFound(), BadAnswer()), 502),
        ((TimedOut(), BadAnswer(), NotFound()), 504),
        ((Unavailable(), BadAnswer()), 503),
        ((NotFound(), Unexpected()), 500),
    ],
)
def test_aggregate_has_highest_5xx_status_of_its_faults(faults: tuple[Fault, ...], expected: int) -> None:
    assert map_to_status(Aggregate(faults)) == expected
    assert to_problem(Aggregate(faults))["status"] == expected


@pytest.mark.parametrize("kind", get_args(Fault))
def test_catalogue_has_status_of_every_fault(kind: type[Fault]) -> None:
    assert CATALOGUE[kind.code].status == map_to_status(kind())
    assert type(EXAMPLES[kind]) is kind


@pytest.mark.parametrize("kind", get_args(Fault))
def test_only_unexpected_and_stuck_share_a_status(kind: type[Fault]) -> None:
    same = {other for other in get_args(Fault) if map_to_status(other()) is map_to_status(kind())}

    assert same == ({Unexpected, Stuck} if kind in {Unexpected, Stuck} else {kind})


def test_bug_detail_is_replaced_by_fault_id() -> None:
    detail = to_problem(Unexpected("KeyError: 'password'", fault="fault-1"))["detail"]

    assert "password" not in detail
    assert "fault-1" in detail


def test_bug_detail_is_hidden_in_aggregate() -> None:
    (first, _) = to_problem(Aggregate((Unexpected("KeyError: 'password'"), NotFound("a"))))["errors"]

    assert "password" not in first["detail"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (NotFound(), {}),
        (Unauthorized(scheme="Basic"), {"WWW-Authenticate": "Basic"}),
        (Unavailable(), {}),
        (Unavailable(retry_after=0.2), {"Retry-After": "1"}),
        (RateLimited(retry_after=3.0), {"Retry-After": "3"}),
        (
            Aggregate((Unavailable(retry_after=2.1), NotFound(), RateLimited(retry_after=1))),
            {"Retry-After": "3"},
        ),
        (Aggregate((Unavailable(), NotFound())), {}),
        (Aggregate((Unavailable(retry_after=2), TimedOut())), {}),
        (Aggregate((Unauthorized(), NotFound())), {}),
    ],
)
def test_problem_headers_come_from_failure(failure: Failure, expected: dict[str, str]) -> None:
    assert build_headers(failure) == expected


@pytest.mark.parametrize("failure", [Conflict("no"), Aggregate((Conflict("no"), NotFound("user-1")))])
@pytest.mark.parametrize("execution_id", [None, "exe-1"])
def test_problem_has_execution_id_if_any(failure: Failure, execution_id: str | None) -> None:
    scope = {"path": "/payments", "state": {"request_id": "request-1", "prefix": ""}}

    problem = json.loads(bytes(build_problem_response(failure, scope, execution_id).body))
    assert problem.get("execution_id") == execution_id
