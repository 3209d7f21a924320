"""The HTTP floor without its routes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from gateway.api.application import application
from gateway.api.pipeline_route.route import Serving
from tests.api.sample_gateway import World, client_of, router


def nothing() -> None: ...


async def test_the_lifespan_is_lived() -> None:
    lived: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        lived.append(app.title)
        yield
        lived.append("end")

    app = application(Serving(), lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert lived == ["fanout-gateway"]

    assert lived == ["fanout-gateway", "end"]


async def test_an_app_whose_pipelines_would_forget_dependencies_does_not_start() -> None:
    app = application(Serving())
    app.include_router(router(World()), dependencies=[Depends(nothing)])

    with pytest.raises(TypeError, match="keeps no dependencies"):
        async with app.router.lifespan_context(app):
            raise AssertionError


def test_a_name_given_to_an_operation_is_kept() -> None:
    routes = APIRouter()

    @routes.get("/a", operation_id="the_name")
    async def get_a() -> None: ...

    document = application(Serving(), routes).openapi()
    assert document["paths"]["/a"]["get"]["operationId"] == "the_name"


async def test_routes_of_any_kind_are_served() -> None:
    async def get_hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    routes = APIRouter()
    routes.add_route("/hello", get_hello)

    async with client_of(application(Serving(), routes)) as client:
        assert (await client.get("/hello")).text == "hello"


async def test_an_app_without_a_lifespan_starts() -> None:
    app = application(Serving())

    async with app.router.lifespan_context(app):
        assert app.state.serving == Serving()
