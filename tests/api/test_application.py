"""The application without its pipelines."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from gateway.api.application import Gateway, Lifespan
from gateway.api.endpoints.readiness import Readiness
from tests.api.sample_gateway import client_of, state


def application(*routers: APIRouter, lifespan: Lifespan | None = None) -> Gateway:
    return Gateway(
        state(),
        Readiness({}),
        title="empty",
        version="1.0",
        routes=(),
        pipelines=(),
        routers=routers,
        lifespan=lifespan,
    )


async def test_lifespan_runs() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        log.append(app.title)
        yield
        log.append("end")

    app = application(lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert log == ["empty"]

    assert log == ["empty", "end"]


async def test_application_starts_without_lifespan() -> None:
    app = application()

    async with app.router.lifespan_context(app):
        assert app.openapi()["info"] == {**app.openapi()["info"], "title": "empty", "version": "1.0"}


def test_operation_keeps_its_own_id() -> None:
    routes = APIRouter()

    @routes.get("/a", operation_id="the_name")
    async def get_a() -> None: ...

    document = application(routes).openapi()
    assert document["paths"]["/a"]["get"]["operationId"] == "the_name"


async def test_routes_of_any_kind_are_served() -> None:
    async def get_hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    routes = APIRouter()
    routes.add_route("/hello", get_hello)

    async with client_of(application(routes)) as client:
        assert (await client.get("/hello")).text == "hello"


async def test_router_included_later_is_served() -> None:
    routes, app = APIRouter(), application()

    @routes.get("/late")
    async def get_late() -> str:
        return "late"

    app.include_router(routes)
    async with client_of(app) as client:
        assert (await client.get("/late")).json() == "late"


def test_openapi_document_is_built_once() -> None:
    app = application()

    assert app.openapi() is app.openapi()
