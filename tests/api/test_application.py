"""Application without pipelines."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from gateway.api.application import Gateway, Lifespan
from gateway.api.endpoints.readiness import Readiness
from tests.api.sample_gateway import build_state, create_client


def build_app(*routers: APIRouter, lifespan: Lifespan | None = None) -> Gateway:
    return Gateway(
        build_state(),
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

    app = build_app(lifespan=lifespan)
    async with app.router.lifespan_context(app):
        assert log == ["empty"]

    assert log == ["empty", "end"]


async def test_application_starts_without_lifespan() -> None:
    app = build_app()

    async with app.router.lifespan_context(app):
        assert app.openapi()["info"] == {**app.openapi()["info"], "title": "empty", "version": "1.0"}


def test_explicit_operation_id_is_kept() -> None:
    routes = APIRouter()

    @routes.get("/a", operation_id="the_name")
    async def get_a() -> None: ...

    document = build_app(routes).openapi()
    assert document["paths"]["/a"]["get"]["operationId"] == "the_name"


async def test_plain_starlette_route_is_served() -> None:
    async def get_hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    routes = APIRouter()
    routes.add_route("/hello", get_hello)

    async with create_client(build_app(routes)) as client:
        assert (await client.get("/hello")).text == "hello"


async def test_router_included_later_is_served() -> None:
    routes, app = APIRouter(), build_app()

    @routes.get("/late")
    async def get_late() -> str:
        return "late"

    app.include_router(routes)
    async with create_client(app) as client:
        assert (await client.get("/late")).json() == "late"


def test_openapi_document_is_built_once() -> None:
    app = build_app()

    assert app.openapi() is app.openapi()
