"""Exceptions as answers."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException

from tests.api.sample_gateway import Basket, World, client_of, gateway


async def raised(error: Exception) -> httpx.Response:
    app = gateway(World())

    @app.get("/raise")
    async def get_raise() -> None:
        raise error

    async with client_of(app) as client:
        return await client.get("/raise")


async def test_what_somebody_else_refuses_is_a_problem_with_its_headers() -> None:
    answer = await raised(HTTPException(401, "Who are you?", {"WWW-Authenticate": "Basic"}))

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert answer.json()["detail"] == "Who are you?"
    assert answer.headers["www-authenticate"] == "Basic"


async def test_what_somebody_else_did_not_find_is_no_missing_route() -> None:
    answer = await raised(HTTPException(404, "There is no such cat"))

    assert answer.json()["code"] == "not-found"


async def test_a_status_that_the_catalogue_does_not_have_speaks_for_itself() -> None:
    answer = await raised(HTTPException(418))

    assert answer.status_code == 418
    assert answer.json()["type"] == "about:blank"
    assert answer.json()["code"] == "i'm-a-teapot"


@pytest.fixture
def plain_routes(world: World) -> FastAPI:
    app = gateway(world)

    @app.post("/plain")
    async def post_plain(basket: Basket, limit: Annotated[int, Query(le=100)] = 10) -> int:
        return limit + len(basket.items)

    return app


async def test_a_route_of_fastapis_own_kind_refuses_in_the_same_words(plain_routes: FastAPI) -> None:
    async with client_of(plain_routes) as client:
        answer = await client.post("/plain?limit=1000", json={"items": [{"id": "!"}]})

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert [violation["field"] for violation in answer.json()["violations"]] == [
        "limit",
        "user_id",
        "items.0.id",
    ]


async def test_a_route_of_fastapis_own_kind_calls_what_is_not_json_malformed(plain_routes: FastAPI) -> None:
    async with client_of(plain_routes) as client:
        answer = await client.post("/plain", content=b"{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"


async def test_the_catalogue_explains_what_is_sent(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nowhere")

    explained = await client.get(answer.json()["type"])
    assert explained.status_code == 200
