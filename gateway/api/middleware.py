"""What happens round every request, whoever answers it: pure ASGI, one job each."""

from collections.abc import Callable
from typing import Final, final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.allowed_methods import allowed
from gateway.api.pipeline_route.headers import identify
from gateway.api.problems.exception_handlers import answered

__all__ = ("ConnectionClose", "Faults", "Methods", "RequestId")

_EMPTY: Final = b""
_CLOSE: Final = (b"connection", b"close")


@final
class RequestId:
    """Names the request, and says the name in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer with `X-Request-Id`."""
        is_http = scope["type"] == "http"
        await self._app(scope, receive, _named(send, identify(scope)) if is_http else send)


@final
class Faults:
    """Answers for what nobody foresaw with a 500, as long as no answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an exception ends here, unless it comes in the middle of an answer."""
        has_begun = False

        async def send_watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            await answered(error, scope)(scope, receive, send)


@final
class Methods:
    """Answers HEAD with what GET would be answered, and OPTIONS with what a path allows (RFC 9110, 9.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, HEAD as GET; answer OPTIONS for a known path."""
        match scope.get("method"):
            case "HEAD":
                await self._app({**scope, "method": "GET"}, receive, _without_body(send))
            case "OPTIONS" if methods := allowed(scope):
                allow = ", ".join(methods).encode("ascii")
                await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow)]})
                await send({"type": "http.response.body", "body": _EMPTY})
            case _:
                await self._app(scope, receive, send)


@final
class ConnectionClose:
    """Says in an answer that its connection ends with it, once *is_stopping*: the next must go elsewhere."""

    def __init__(self, app: ASGIApp, is_stopping: Callable[[], bool]) -> None:
        self._app = app
        self._is_stopping = is_stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its answer with `Connection: close` (RFC 9112, 9.6) if it is the last."""

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_stopping():
                others = [
                    (name, value) for name, value in message.get("headers", ()) if name != b"connection"
                ]
                message["headers"] = [*others, _CLOSE]
            await send(message)

        await self._app(scope, receive, send_last)


def _named(send: Send, name: str) -> Send:
    header = (b"x-request-id", name.encode("ascii"))

    async def send_named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return send_named


def _without_body(send: Send) -> Send:
    """Give a *send* that leaves out what HEAD must not have, however the server is told to send it."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body", "body": _EMPTY})

    return send_head
