"""The line to the gateway, as its server has it: a caller may hang up at any turn of the loop."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Scope

from tests.ledger.caller_records import Answer

__all__ = ("Sent", "exchange")


@dataclass(frozen=True)
class Sent:
    """What goes out."""

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
            "headers": [(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
            "client": ("127.0.0.1", 1024),
            "server": ("gateway", 80),
        }


async def exchange(app: ASGIApp, sent: Sent, gone: asyncio.Event | None = None) -> Answer | None:
    """Give what *app* answers; nothing if the caller is *gone* before that."""
    to_come: list[Message] = [{"type": "http.request", "body": sent.body}]
    answered: list[Message] = []

    async def receive() -> Message:
        if to_come:
            return to_come.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answered.append(message)

    await app(sent.scope, receive, send)
    return _whole(answered) if answered else None


def _whole(answered: Sequence[Message]) -> Answer:
    start, *chunks = answered
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(chunk.get("body", b"") for chunk in chunks))
