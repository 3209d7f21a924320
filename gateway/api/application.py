"""FastAPI application of a gateway: its routes, its middleware, and its OpenAPI document."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias, final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from typing_extensions import override

from gateway.api.cors import ProblemCORSMiddleware
from gateway.api.endpoints.readiness import Readiness
from gateway.api.middleware import HeadAndOptions, PathPrefix, RequestId, ServerErrors, WholePaths
from gateway.api.openapi.document import build_document
from gateway.api.openapi.swagger_ui import add_document, add_swagger_ui
from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.api.pipeline_route.registration import RegistrationError, Route
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.state import GatewayState
from gateway.client.service import Service
from gateway.executions.store import ExecutionStore
from gateway.observability.metrics.registry import MetricsRegistry

__all__ = ("Gateway", "Lifespan")

Lifespan: TypeAlias = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_SUMMARY: Final = (
    "One request becomes staged, parallel service calls; every failure has an exact HTTP status."
)
_DESCRIPTION: Final = """\
One request in, many service calls out. A **pipeline** consists of **stages**. The calls of a stage run in
parallel. A stage starts when the previous one has succeeded; the first failed stage ends the request.

Every failure of a call has an exact status. Failures are `application/problem+json`
([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)); if several calls failed, `errors` lists them all.
"""
_TAGS: Final = [
    {"name": "pipelines", "description": "Requests that fan out to many services."},
    {"name": "executions", "description": "Outcomes of requests that write."},
    {"name": "operations", "description": "Health, pipelines and problem types, for operators and callers."},
]
_OWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_DOCUMENTATION: Final = ("/docs", "/docs/assets/swagger-ui.css", "/openapi.json")
_EXPOSED_HEADERS: Final = (
    "X-Request-Id",
    "Server-Timing",
    "Gateway-Completed",
    "Retry-After",
    "RateLimit-Policy",
    "RateLimit",
    "Location",
    "Idempotent-Replayed",
)
_ALLOWED_HEADERS: Final = (
    "Authorization",
    "Idempotency-Key",
    "X-Request-Id",
    "X-Request-Timeout-Ms",
    "traceparent",
    "tracestate",
)


@final
class Gateway(FastAPI):
    """FastAPI application that serves the pipeline *routes* and the *routers*; its errors are problems.

    *cors_origins* are the allowed CORS origins; `*` allows all. *prefix* is the path prefix of links, unless
    the ASGI server or a parent app has set another. *max_calls* is the most calls to services at the same
    time. *journal* keeps the executions; it is None if no pipeline writes. *metrics* are those at `/metrics`.

    More routers can be added with `include_router`. The server and the command line read the attributes
    `services`, `max_calls`, `pipelines`, `registrations`, `readiness`, `shared` (the *state*), `journal`,
    `metrics`, `prefix`, `has_cors` and `warnings` (lines to log about settings and documentation).

    Raise `RegistrationError` for two routes with the same method and path or the same operation id, for
    different pipelines with the same name, and for a route that hides a path of the gateway itself.
    """

    def __init__(  # noqa: PLR0913 - the parts of a gateway
        self,
        state: GatewayState,
        readiness: Readiness,
        *,
        services: Sequence[Service[object]] = (),
        max_calls: int = 0,
        journal: ExecutionStore | None = None,
        metrics: MetricsRegistry | None = None,
        warnings: Sequence[str] = (),
        title: str,
        version: str,
        routes: Sequence[PipelineRoute],
        pipelines: Sequence[DescribedPipeline],
        routers: Sequence[APIRouter],
        cors_origins: Sequence[str] = (),
        prefix: str = "",
        lifespan: Lifespan | None = None,
    ) -> None:
        self.shared: Final = state
        self.readiness: Final = readiness
        self.services: Final = tuple(services)
        self.max_calls: Final = max_calls
        self.journal: Final = journal
        self.metrics: Final = metrics or MetricsRegistry()
        self.prefix: Final = prefix
        self.has_cors: Final = bool(cors_origins)
        self.pipelines: Final = tuple(pipelines)
        self.warnings: Final = tuple(warnings)
        self.registrations: Final = tuple(route.registration for route in routes)
        described = {(pipeline.spec.method, pipeline.spec.path): pipeline.spec for pipeline in pipelines}
        self._specs = [described.get((route.spec.method, route.spec.path), route.spec) for route in routes]
        self._document: tuple[dict[str, Any], dict[str, Any]] | None = None
        own_routes = [_name_operation(route) for router in routers for route in router.routes]
        _refuse_conflicts(routes, [route.path for route in own_routes if isinstance(route, APIRoute)])
        super().__init__(
            routes=[*routes, *own_routes],
            title=title,
            summary=_SUMMARY,
            description=_DESCRIPTION,
            version=version,
            openapi_tags=_TAGS,
            openapi_url=None,  # see `add_document`
            docs_url=None,
            redoc_url=None,
            # Behind a proxy that terminates TLS, the redirect would lead to http (fastapi/fastapi#4990).
            redirect_slashes=False,
            # The gateway has its own traces. FastAPI would look for an OpenTelemetry SDK at each request.
            telemetry={"tracing": False, "metrics": False, "logs": False},
            lifespan=lifespan,
        )
        for route in routes:
            route.dependency_overrides_provider = self
        for error in (HTTPException, RequestValidationError):
            self.add_exception_handler(error, _handle_exception)
        # The middleware that is added last handles a request first.
        self.add_middleware(HeadAndOptions)
        self.add_middleware(WholePaths)
        self.add_middleware(ServerErrors)
        if cors_origins:
            self.add_middleware(
                ProblemCORSMiddleware,
                allow_origins=cors_origins,
                allow_methods=sorted(_OWN_METHODS | {route.method for route in routes}),
                allow_headers=_ALLOWED_HEADERS,
                expose_headers=_EXPOSED_HEADERS,
            )
        self.add_middleware(PathPrefix, prefix)
        self.add_middleware(RequestId)
        add_document(self, state.admission.static)
        add_swagger_ui(self, state.admission.static)

    @override
    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, which is built once and rebuilt after routes were added."""
        generated = super().openapi()
        if self._document is None or self._document[0] is not generated:
            self._document = generated, build_document(generated, self._specs)
        return self._document[1]


def _refuse_conflicts(routes: Sequence[PipelineRoute], own_paths: Sequence[str]) -> None:
    operations: dict[object, Route] = {}
    pipelines: dict[str, Route] = {}
    for route in routes:
        registration = route.registration
        for key, conflict in (
            ((route.method, route.path_format), "the same method and path"),
            (
                route.operation_id,
                f"the same operation id, {route.operation_id}; use an endpoint function with another name",
            ),
        ):
            if (other := operations.setdefault(key, registration)) is not registration:
                msg = f"{other} and {registration} have {conflict}"
                raise RegistrationError(msg)
        other = pipelines.setdefault(registration.pipeline.name, registration)
        if other.pipeline.function is not registration.pipeline.function:
            name = registration.pipeline.name
            msg = f"{other} and {registration} have different pipelines named {name}; rename one of them"
            raise RegistrationError(msg)
        for path in (*_DOCUMENTATION, *own_paths):
            if route.path_regex.match(path):
                msg = f"{registration} hides {path}, which the gateway serves itself; use another path"
                raise RegistrationError(msg)


async def _handle_exception(request: Request, error: Exception) -> Response:
    return build_exception_response(error, request.scope)


def _name_operation(route: BaseRoute) -> BaseRoute:
    """Set the operation id of *route*, unless it has one, and return the same *route*.

    The operation id is the route's `name=`, by default the name of the endpoint function. Generated clients
    name their methods after it.
    """
    if isinstance(route, APIRoute):
        route.operation_id = route.operation_id or route.name
    return route
