"""Exceptions as problem responses."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query
from starlette.exceptions import HTTPException

from tests.api.sample_gateway import Basket, FakeServices, build_sample_gateway, create_client


async def fetch_response(error: Exception) -> httpx.Response:
    app = build_sample_gateway(FakeServices())

    @app.get("/raise")
    async def get_raise() -> None:
        raise error

    async with create_client(app) as client:
        return await client.get("/raise")


async def test_http_exception_is_a_problem_with_headers() -> None:
    response = await fetch_response(HTTPException(401, "Log in first", {"WWW-Authenticate": "Basic"}))

    assert response.status_code == 401
    assert response.json()["code"] == "unauthorized"
    assert response.json()["detail"] == "Log in first"
    assert response.headers["www-authenticate"] == "Basic"


async def test_raised_404_is_not_route_not_found() -> None:
    response = await fetch_response(HTTPException(404, "There is no such cat"))

    assert response.json()["code"] == "not-found"


async def test_uncatalogued_status_is_about_blank() -> None:
    response = await fetch_response(HTTPException(418))

    assert response.status_code == 418
    assert response.json()["type"] == "about:blank"
    assert response.json()["code"] == "i'm-a-teapot"


@pytest.fixture
def plain_fastapi_app(services: FakeServices) -> FastAPI:
    app = build_sample_gateway(services)

    @app.post("/plain")
    async def post_plain(basket: Basket, limit: Annotated[int, Query(le=100)] = 10) -> int:
        return limit + len(basket.items)

    return app


async def test_plain_fastapi_route_lists_violations(plain_fastapi_app: FastAPI) -> None:
    async with create_client(plain_fastapi_app) as client:
        response = await client.post("/plain?limit=1000", json={"items": [{"id": "!"}]})

    assert response.status_code == 422
    assert response.json()["code"] == "invalid"
    assert [violation["field"] for violation in response.json()["violations"]] == [
        "limit",
        "user_id",
        "items.0.id",
    ]


async def test_plain_fastapi_route_refuses_malformed_json(plain_fastapi_app: FastAPI) -> None:
    async with create_client(plain_fastapi_app) as client:
        response = await client.post("/plain", content=b"{", headers={"Content-Type": "application/json"})

    assert response.status_code == 400
    assert response.json()["code"] == "malformed"


async def test_problem_type_links_to_catalogue(client: httpx.AsyncClient) -> None:
    response = await client.get("/nowhere")

    explanation = await client.get(response.json()["type"])
    assert explanation.status_code == 200
