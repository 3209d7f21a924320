"""ASGI middleware for every request."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, cast, final

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.allowed_methods import list_allowed_methods
from gateway.api.path_prefix import assign_prefix
from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.problems.refusal import NO_ENDPOINT, Refusal
from gateway.api.request_scope import assign_request_id

__all__ = ("ConnectionClose", "HeadAndOptions", "PathPrefix", "RequestId", "ServerErrors", "WholePaths")

_EMPTY: Final = b""
_LINE_FEED: Final = "\n"
_CLOSE: Final = (b"connection", b"close")


# Plain ASGI: each layer of `BaseHTTPMiddleware` runs the application in a task of its own, which takes about
# 80 us and loses changes of context variables (https://starlette.dev/middleware/#limitations). A layer that
# does nothing after the application returns its awaitable, and so needs no coroutine of its own.
@final
class RequestId:
    """Middleware that assigns the request an id and sends it in the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the request; the response has `X-Request-Id`."""
        if scope["type"] == "http":
            send = _add_request_id(send, assign_request_id(scope))
        return self._app(scope, receive, send)


@final
class PathPrefix:
    """Middleware that assigns the request the path prefix of its links, and removes *default* from its path.

    A proxy may have left *default* in the path. It stays there if there is no route without it: `/orders` may
    be a prefix and a route.
    """

    def __init__(self, app: ASGIApp, default: str) -> None:
        self._app = app
        self._default = default

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the request; `root_path` in its *scope* is what precedes the path of a route."""
        if scope["type"] == "http":
            assign_prefix(scope, self._default)
            if self._default and not scope.get("root_path") and self._has_route(scope):
                scope["root_path"] = self._default
        return self._app(scope, receive, send)

    def _has_route(self, scope: Scope) -> bool:
        """Return whether the path has the prefix, and the rest of it is the path of a route."""
        if not scope["path"].startswith(f"{self._default}/"):
            return False
        request = {**scope, "root_path": self._default}
        return any(_is_match(route, request) for route in cast("Sequence[BaseRoute]", scope["app"].routes))


# An exception handler for `Exception` runs outside all other middleware: its 500 would lack the CORS headers,
# and a browser would report a CORS error instead (Kludex/starlette#1116).
@final
class ServerErrors:
    """Middleware that turns an unhandled exception into a 500, unless the response has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request; an exception after the response has begun is raised again."""
        has_begun = False

        def send_watched(message: Message) -> Awaitable[None]:
            nonlocal has_begun
            has_begun = True
            return send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            await build_exception_response(error, scope)(scope, receive, send)


# The patterns that Starlette makes of paths end in `$`, which also matches before a line feed at the end.
@final
class WholePaths:
    """Middleware that responds with 404 to the path of a route followed by a line feed, such as `/orders%0a`.

    Otherwise `/orders%0a` would be another way to write `/orders`, which passes the rules of a proxy for
    `/orders`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the request; raise `Refusal` if its route does not match the whole path."""
        if scope["type"] == "http" and scope["path"].endswith(_LINE_FEED) and not _matches_whole_path(scope):
            raise Refusal(code="route-not-found", detail=NO_ENDPOINT)
        return self._app(scope, receive, send)


# FastAPI responds with 405 to HEAD where only GET is declared (fastapi/fastapi#1773), and to OPTIONS.
@final
class HeadAndOptions:
    """Middleware that handles HEAD as GET without a response body, and answers OPTIONS (RFC 9110, 9.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the request; OPTIONS for an unknown path is passed on, and becomes a 404."""
        match scope.get("method"):
            case "HEAD":
                return self._app({**scope, "method": "GET"}, receive, _drop_body(send))
            case "OPTIONS" if methods := list_allowed_methods(scope):
                return _send_methods(send, methods)
            case _:
                return self._app(scope, receive, send)


@final
class ConnectionClose:
    """Middleware that closes the connection after the response once *is_stopping* returns true."""

    def __init__(self, app: ASGIApp, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._is_stopping = is_stopping

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle the request; during shutdown the response has `Connection: close` (RFC 9112, 9.6)."""

        def send_last(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and self._is_stopping():
                others = [
                    (name, value) for name, value in message.get("headers", ()) if name != b"connection"
                ]
                message["headers"] = [*others, _CLOSE]
            return send(message)

        return self._app(scope, receive, send_last)


def _add_request_id(send: Send, request_id: str) -> Send:
    """Wrap *send* so that it adds the header `X-Request-Id` to the response."""
    header = (b"x-request-id", request_id.encode("ascii"))

    def send_with_id(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), header]
        return send(message)

    return send_with_id


async def _send_methods(send: Send, methods: Iterable[str]) -> None:
    allow = ", ".join(methods).encode("ascii")
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow)]})
    await send({"type": "http.response.body", "body": _EMPTY})


def _drop_body(send: Send) -> Send:
    """Wrap *send* so that it sends the headers with an empty body, even if the body is streamed."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body", "body": _EMPTY})

    return send_head


def _matches_whole_path(scope: Scope) -> bool:
    """Return whether the first route that matches the path, which ends in a line feed, matches all of it.

    A `$` matches before the last line feed, but not before two. A parameter that may contain a line feed
    matches in both cases.
    """
    request, longer = {**scope}, {**scope, "path": scope["path"] + _LINE_FEED}
    routes = cast("Sequence[BaseRoute]", scope["app"].routes)
    matching = next((route for route in routes if _is_match(route, request)), None)
    return matching is not None and _is_match(matching, longer)


def _is_match(route: BaseRoute, request: Scope) -> bool:
    match, _ = route.matches(request)
    return match is not Match.NONE
