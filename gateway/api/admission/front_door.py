"""Front door: refuses requests to an overloaded gateway before anything else looks at them."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias, cast, final

from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.admission.admission import OVERLOADED, Admission
from gateway.api.path_prefix import assign_prefix, encode_path, get_prefix
from gateway.api.problems.problem import build_plain_problem
from gateway.api.request_scope import assign_request_id

__all__ = ("PAUSE_EXTENSION", "FrontDoor")

PAUSE_EXTENSION: Final = "gateway.pause"
"""ASGI extension: `pause(seconds)` keeps the connection from being read for a time after the response."""

Pause: TypeAlias = Callable[[float], None]

_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"retry-after", b"1"),
    (b"content-type", b"application/problem+json"),
    (b"gateway-completed", b"false"),
    (b"server-timing", b"gateway;dur=0.0"),
)
_VARY: Final = (b"vary", b"Origin")


@final
class FrontDoor:
    """Middleware that refuses requests for pipelines while the limit of requests in flight is reached.

    The response is the same as that of the routes, and takes a small part of their CPU. Otherwise clients
    that retry at once could keep an overloaded gateway busy with refusals alone. For the same reason the
    connection is then not read for *pause* seconds, if the server has the extension `PAUSE_EXTENSION`.

    The routes themselves refuse requests with an `Origin` if the app *has_cors*, since the response then has
    more headers, and paths that begin with the default *prefix*.
    """

    def __init__(  # noqa: PLR0913 - the terms, by keyword
        self,
        app: ASGIApp,
        admission: Admission,
        routes: Sequence[APIRoute],
        *,
        prefix: str,
        has_cors: bool,
        pause: float,
    ) -> None:
        self._app = app
        self._in_flight = admission.in_flight
        self._routes = [(route.path_regex, frozenset(route.methods or ())) for route in routes]
        self._prefix = prefix
        self._has_cors = has_cors
        self._pause = pause
        self._headers = (*_HEADERS, _VARY) if has_cors else _HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or handle it."""
        if self._in_flight.is_full and self._is_for_pipeline(scope):
            await self._refuse(scope, send)
        else:
            await self._app(scope, receive, send)

    def _is_for_pipeline(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope.get("root_path"):
            return False
        path, method = scope["path"], scope["method"]
        if self._has_cors and any(name == b"origin" for name, _ in scope["headers"]):
            return False
        return any(method in methods and pattern.fullmatch(path) for pattern, methods in self._routes)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        request_id = assign_request_id(scope)
        assign_prefix(scope, self._prefix)
        problem = build_plain_problem(
            "unavailable",
            OVERLOADED,
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            instance=encode_path(scope),
            request_id=request_id,
            prefix=get_prefix(scope),
        )
        body = to_json(problem)
        headers = [
            *self._headers,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode("ascii")),
        ]
        if (extension := scope.get("extensions", {}).get(PAUSE_EXTENSION)) is not None:
            cast("Pause", extension["pause"])(self._pause)
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
