"""Client connection over a fake transport, on the jumping clock, to an app that a test controls."""

import asyncio
from typing import Final

import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway.server.connections import ServerConnections
from gateway.server.protocol.http_protocol import HttpProtocol

__all__ = ("KEEP_ALIVE", "Connection", "FakeTransport")

KEEP_ALIVE: Final = 75


class FakeTransport(asyncio.Transport):
    """Transport that records the bytes sent to the client, and the time at which it is closed.

    *unsent* bytes wait in its buffer, because the client does not read them. *protocol* is told that the
    connection is lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.unsent = 0
        self.closed_at: float | None = None
        self.is_aborted = False
        self._is_reading = True
        self.has_sent_eof = False
        self.protocol: HttpProtocol | None = None

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.has_sent_eof
        self.sent += data

    @override
    def write_eof(self) -> None:
        self.has_sent_eof = True

    @override
    def get_write_buffer_size(self) -> int:
        return self.unsent

    @override
    def close(self) -> None:
        if self.closed_at is None:
            self.closed_at = asyncio.get_running_loop().time()
            if not self.unsent:
                self._lose_connection()

    @override
    def abort(self) -> None:
        self.is_aborted = True
        self.closed_at = asyncio.get_running_loop().time()
        self._lose_connection()

    @override
    def is_closing(self) -> bool:
        return self.closed_at is not None

    @override
    def is_reading(self) -> bool:
        return self._is_reading

    @override
    def pause_reading(self) -> None:
        self._is_reading = False

    @override
    def resume_reading(self) -> None:
        self._is_reading = True

    def _lose_connection(self) -> None:
        if self.protocol is not None:
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
            self.protocol = None


class Connection:
    """Connection to an app that responds after `seconds`, and reads the body first if `reads_body`."""

    def __init__(self, connections: ServerConnections | None = None) -> None:
        self.seconds = 0.0
        self.reads_body = False
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.messages: list[str] = []
        """Types of the ASGI messages that the app has received."""
        self.transport = FakeTransport()
        config = uvicorn.Config(self._app, interface="asgi3", timeout_keep_alive=KEEP_ALIVE, log_config=None)
        self.protocol = HttpProtocol(config, connections or ServerConnections(100), {})
        self.protocol.connection_made(self.transport)
        self.transport.protocol = self.protocol

    def receive(self, data: bytes) -> None:
        """Receive *data* from the client."""
        self.protocol.data_received(data)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if self.reads_body:
            await self._read_body(receive)
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _read_body(self, receive: Receive) -> None:
        body, has_more = b"", True
        while has_more:
            message = await receive()
            self.messages.append(message["type"])
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
        self.bodies.append(body)

    @property
    def responses(self) -> int:
        """Return the number of responses that the app has sent."""
        return self.transport.sent.count(b"HTTP/1.1 204")

    @property
    def status(self) -> int:
        """Return the status of the first response."""
        return int(self.transport.sent.split()[1])
