"""The HTTP floor as a whole: the routes, and what answers where no route does."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeAlias

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.api.endpoints.pipelines import Pipelines
from gateway.api.middleware import Faults, Methods, RequestId
from gateway.api.openapi import document as openapi
from gateway.api.openapi import swagger_ui as docs
from gateway.api.pipeline_route.route import Serving, refuse_dependencies
from gateway.api.problems.exception_handlers import answered

__all__ = ("application",)

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_DESCRIPTION: Final = """\
One request in, many service calls out. A **pipeline** is made of **stages**: the calls of a stage run in
parallel, a stage starts when the one before it has succeeded, and the first that fails ends the request.

Every way in which a call can fail has a status of its own. What went wrong is said as
`application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)); where several calls failed,
`errors` lists them all.
"""
_TAGS: Final = [
    {"name": "pipelines", "description": "Requests that fan out to many services."},
    {"name": "executions", "description": "What has become of requests that write."},
    {"name": "operations", "description": "What those need who run the gateway, and what problems mean."},
]
_EXPOSED: Final = (
    "X-Request-Id",
    "Server-Timing",
    "Gateway-Completed",
    "Retry-After",
    "RateLimit-Policy",
    "RateLimit",
    "Location",
    "Idempotent-Replayed",
)
_ACCEPTED: Final = (
    "Authorization",
    "Idempotency-Key",
    "X-Request-Id",
    "X-Request-Timeout-Ms",
    "traceparent",
    "tracestate",
)


def application(
    serving: Serving,
    *routers: APIRouter,
    cors_origins: Sequence[str] = (),
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Make an app of *routers*, with problems for answers, request ids, HEAD, OPTIONS and a page at /docs.

    Pages of *cors_origins* may read its answers in a browser: `*` stands for all, and nobody may by default.
    `include_router` works on it too, at the price of 9 microseconds a request, and 3 for what is behind it.
    """
    app = FastAPI(
        routes=[_named(route) for router in routers for route in router.routes],
        title="fanout-gateway",
        summary="One request becomes staged, parallel service calls; every failure an exact answer.",
        description=_DESCRIPTION,
        version=version("fanout-gateway"),
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # The gateway keeps its own records, and FastAPI would look for telemetry to feed at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=_checked(lifespan or _nothing),
    )
    app.state.serving = serving
    setattr(app, "openapi", partial(_document, app.state, app.openapi))  # noqa: B010 - both checkers call it a method
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _handled)
    # The last one added is the first to see a request.
    app.add_middleware(Methods)
    app.add_middleware(Faults)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=("GET", "HEAD", "POST", "OPTIONS"),
            allow_headers=_ACCEPTED,
            expose_headers=_EXPOSED,
        )
    app.add_middleware(RequestId)
    docs.add(app)
    return app


def _checked(lifespan: Lifespan) -> Lifespan:
    @asynccontextmanager
    async def checked(app: FastAPI) -> AsyncGenerator[None, None]:
        refuse_dependencies(app.routes)
        async with lifespan(app):
            yield

    return checked


@asynccontextmanager
async def _nothing(_: FastAPI) -> AsyncGenerator[None, None]:
    yield


async def _handled(request: Request, error: Exception) -> Response:
    return answered(error, request.scope)


def _named(route: BaseRoute) -> BaseRoute:
    """Call the operation as its function is called, for the sake of generated clients."""
    if isinstance(route, APIRoute):
        route.operation_id = route.operation_id or route.name
    return route


def _document(state: State, made: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    document = made()
    getattr(state, "pipelines", Pipelines()).complete(document)
    return openapi.completed(document)
