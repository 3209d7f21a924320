"""Problems of own errors: codes, members, statuses and explanations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from gateway.api.pipeline_route.registration import RegistrationError
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.own_errors import extend_catalogue, find_status, list_own_errors, name_schema
from gateway.api.problems.problem import build_problem, map_to_status
from gateway.railway import Aggregate, Conflict, Failure, Invalid, NotFound
from tests.api.openapi_document import check_response
from tests.api.points_gateway import SPEND, InsufficientPoints, RewardEnded, Shortfall, build_points_gateway
from tests.api.sample_gateway import create_client

LACKING: Final = InsufficientPoints("Only 12 left", source="points.spend", balance=12)


class CardExpired(Invalid, code="card-expired"):
    """The card has expired."""


def to_problem(failure: Failure) -> dict[str, Any]:
    return {**build_problem(failure, instance="/spend/ada", request_id="request-1")}


def test_own_problem_has_code_and_members() -> None:
    assert to_problem(LACKING) == {
        "type": "/problems/insufficient-points",
        "title": "Conflict",
        "status": 409,
        "detail": "Only 12 left",
        "instance": "/spend/ada",
        "code": "insufficient-points",
        "source": "points.spend",
        "request_id": "request-1",
        "balance": 12,
        "shortfall": None,
    }


def test_members_are_written_as_json() -> None:
    failure = InsufficientPoints("no", balance=12, shortfall=Shortfall(points=488))

    assert to_problem(failure)["shortfall"] == {"points": 488, "reason": "price"}


def test_own_error_in_aggregate_has_its_members() -> None:
    body = to_problem(Aggregate((LACKING, NotFound("no"))))

    assert (body["status"], body["errors"][0]["code"], body["errors"][0]["balance"]) == (
        207,
        "insufficient-points",
        12,
    )
    assert "balance" not in body["errors"][1]


def test_own_invalid_lists_violations() -> None:
    assert to_problem(CardExpired.at("card")("Expired"))["violations"] == [
        {"field": "card", "messages": ["Expired"]}
    ]


@pytest.mark.parametrize("failure", [LACKING, RewardEnded(ended_on="today"), CardExpired()])
def test_own_error_has_the_status_of_its_family(failure: Failure) -> None:
    assert find_status(type(failure)) == map_to_status(failure)


def test_own_errors_are_listed_once() -> None:
    kinds = (
        Conflict,
        InsufficientPoints,
        CardExpired.at("x"),
        InsufficientPoints,
        Invalid.at("x"),
        Aggregate,
    )

    assert list_own_errors(kinds) == (InsufficientPoints, CardExpired)


def test_catalogue_explains_own_errors_by_docstring() -> None:
    kind = extend_catalogue([InsufficientPoints])["insufficient-points"]

    assert kind.status == 409
    assert kind.explanation.startswith("The account has fewer points than the reward costs. Collect more ")
    assert kind.explanation.endswith(" again.")
    assert extend_catalogue([]) == CATALOGUE


def test_schema_is_named_after_the_code() -> None:
    assert name_schema(InsufficientPoints) == "InsufficientPointsProblem"


def with_code_of_gateway() -> type[Failure]:
    class TooMany(Conflict, code="too-large"): ...

    return TooMany


def with_code_of_other_error() -> type[Failure]:
    class PointsMissing(Conflict, code="insufficient-points"): ...

    return PointsMissing


def with_member_of_every_problem() -> type[Failure]:
    class Stated(Conflict, code="stated"):
        status: str

    return Stated


@dataclass
class Opaque:
    thing: type


def with_member_that_is_no_json() -> type[Failure]:
    class Secret(Conflict, code="secret"):
        thing: Callable[[], Opaque]

    return Secret


class Undefined(Conflict, code="undefined"):
    thing: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("define", "reason"),
    [
        (with_code_of_gateway, "TooMany: the code too-large is taken by the gateway itself"),
        (with_code_of_other_error, "PointsMissing: the code insufficient-points is taken by Insuff"),
        (with_member_of_every_problem, "Stated: every problem has a member status; rename the field"),
        (with_member_that_is_no_json, "Secret: a field has no JSON schema"),
        (lambda: Undefined, "Undefined: a field has no JSON schema"),
    ],
)
def test_unusable_own_error_is_refused(define: Callable[[], type[Failure]], reason: str) -> None:
    with pytest.raises(RegistrationError, match=reason):
        extend_catalogue([InsufficientPoints, define()])


@pytest.mark.parametrize("code", ["insufficient-points", "reward-ended"])
async def test_own_problem_type_is_served(code: str) -> None:
    async with create_client(build_points_gateway()) as client:
        response = await client.get(f"/problems/{code}")

    assert response.status_code == 200
    assert response.json()["type"] == f"/problems/{code}"
    assert response.json()["explanation"].startswith("The ")


def refuse(**members: object) -> httpx.Response:
    headers = {"content-type": "application/problem+json"}
    return httpx.Response(409, headers=headers, json={"detail": "Only 12 left", **members})


async def test_own_error_of_service_reaches_the_caller() -> None:
    app = build_points_gateway(refuse(balance=12, debug="x"))
    async with create_client(app) as client:
        response = await client.post("/spend", json=SPEND)

    check_response(app.openapi(), response)
    assert response.status_code == 207
    assert [(part["code"], part["balance"]) for part in response.json()["errors"]] == [
        ("insufficient-points", 12)
    ] * 2
    assert "debug" not in response.text


async def test_own_error_of_pipeline_reaches_the_caller() -> None:
    app = build_points_gateway()
    async with create_client(app) as client:
        response = await client.post("/spend", json={"user_id": "late"})

    check_response(app.openapi(), response)
    assert response.status_code == 410
    assert (response.json()["code"], response.json()["ended_on"]) == ("reward-ended", "2026-03-01")
