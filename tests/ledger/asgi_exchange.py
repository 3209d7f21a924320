"""ASGI requests to the gateway, with clients that may disconnect at any turn of the loop."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope

from tests.ledger.caller_records import Response

__all__ = ("AsgiRequest", "exchange")


@dataclass(frozen=True)
class AsgiRequest:
    """A request to the gateway."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "query_string": self.query.encode(),
            "headers": [
                (b"host", b"localhost"),
                *((name.lower().encode(), value.encode()) for name, value in self.headers.items()),
            ],
            "client": ("127.0.0.1", 1024),
            "server": ("localhost", 80),
        }


async def exchange(
    app: ASGIApp, sent: AsgiRequest, disconnected: asyncio.Event | None = None
) -> Response | None:
    """Send a request to *app*; return its response, or None if *disconnected* is set before the response."""
    incoming: list[Message] = [{"type": "http.request", "body": sent.body}]
    messages: list[Message] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await (disconnected or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(sent.scope, receive, send)
    return _to_response(messages) if messages else None


def _to_response(messages: Sequence[Message]) -> Response:
    start, *chunks = messages
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Response(start["status"], headers, b"".join(chunk.get("body", b"") for chunk in chunks))
