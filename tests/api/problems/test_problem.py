"""Failures as problems."""

import json
from http import HTTPStatus
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
)


def said(failure: Failure) -> dict[str, Any]:
    return {**build_problem(failure, instance="/baskets", request_id="request-1")}


def test_a_problem_has_exactly_the_members_of_the_contract() -> None:
    failure = NotFound("User not found: nobody", source="users.fetch")

    assert said(failure) == {
        "type": "/problems/not-found",
        "title": "Not Found",
        "status": 404,
        "detail": "User not found: nobody",
        "instance": "/baskets",
        "code": "not-found",
        "source": "users.fetch",
        "request_id": "request-1",
    }


def test_a_problem_without_a_source_leaves_it_out() -> None:
    assert "source" not in said(Conflict("no"))


def test_a_failure_without_a_detail_is_described_by_its_status() -> None:
    assert said(Conflict())["detail"] == "Conflict"


def test_an_invalid_problem_lists_its_violations() -> None:
    violations = (("address", ("required", "blank")), ("", ("no",)))

    assert said(Invalid("no", violations=violations))["violations"] == [
        {"field": "address", "messages": ["required", "blank"]},
        {"field": "", "messages": ["no"]},
    ]


def test_an_aggregate_of_client_errors_is_207_with_every_part() -> None:
    parts = (NotFound("a", source="users.fetch"), Invalid("b", violations=(("", ("b",)),)))

    assert said(Aggregate(parts)) == {
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
                "title": HTTPStatus(422).phrase,
                "status": 422,
                "detail": "b",
                "code": "invalid",
                "violations": [{"field": "", "messages": ["b"]}],
            },
        ],
        "request_id": "request-1",
    }


@pytest.mark.parametrize(
    ("faults", "wanted"),
    [
        ((NotFound(), Conflict(), Forbidden()), 207),
        ((NotFound(), BadAnswer()), 502),
        ((TimedOut(), BadAnswer(), NotFound()), 504),
        ((Unavailable(), BadAnswer()), 503),
        ((NotFound(), Unexpected()), 500),
    ],
)
def test_a_fault_of_a_server_makes_an_aggregate_the_highest_5xx(
    faults: tuple[Fault, ...], wanted: int
) -> None:
    assert map_to_status(Aggregate(faults)) == wanted
    assert said(Aggregate(faults))["status"] == wanted


@pytest.mark.parametrize("kind", get_args(Fault))
def test_the_catalogue_has_every_failure_with_its_status(kind: type[Fault]) -> None:
    assert CATALOGUE[kind.code].status == map_to_status(kind())
    assert type(EXAMPLES[kind]) is kind


@pytest.mark.parametrize("kind", get_args(Fault))
def test_every_kind_of_fault_has_a_status_of_its_own_but_for_the_two_of_500(kind: type[Fault]) -> None:
    same = {other for other in get_args(Fault) if map_to_status(other()) is map_to_status(kind())}

    assert same == ({Unexpected, Stuck} if kind in {Unexpected, Stuck} else {kind})


def test_the_detail_of_a_bug_stays_inside_and_its_fault_id_goes_out() -> None:
    detail = said(Unexpected("KeyError: 'password'", fault="fault-1"))["detail"]

    assert "password" not in detail
    assert "fault-1" in detail


def test_the_detail_of_a_bug_stays_inside_in_an_aggregate_too() -> None:
    (first, _) = said(Aggregate((Unexpected("KeyError: 'password'"), NotFound("a"))))["errors"]

    assert "password" not in first["detail"]


@pytest.mark.parametrize(
    ("failure", "wanted"),
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
def test_a_problem_says_how_to_do_better_next_time(failure: Failure, wanted: dict[str, str]) -> None:
    assert build_headers(failure) == wanted


@pytest.mark.parametrize("failure", [Conflict("no"), Aggregate((Conflict("no"), NotFound("nobody")))])
@pytest.mark.parametrize("known_as", [None, "exe-1"])
def test_a_problem_says_what_the_execution_is_known_as_if_there_is_one(
    failure: Failure, known_as: str | None
) -> None:
    scope = {"path": "/payments", "state": {"request_id": "request-1"}}

    said = json.loads(bytes(build_problem_response(failure, scope, known_as).body))
    assert said.get("execution_id") == known_as
