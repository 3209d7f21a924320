"""Connection to a client."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from starlette.types import Receive, Scope, Send

from mock_services.http.response import Response

__all__ = ["CLOSE", "Close", "Connection", "ConnectionDroppedError"]

Close: TypeAlias = Callable[[], None]

CLOSE: Final = "mock_services.close"
"""Key in the ASGI state; its value is a function that closes the connection, which no ASGI message can do."""


class ConnectionDroppedError(ConnectionError):
    """A fault drops the connection of a client in the same process, which has no socket to close."""


class Connection:
    """The connection that carries a request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def read_body(self) -> bytes | None:
        """Read the request body; return None if the client disconnected before its end."""
        chunks: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(chunks)

    async def wait_until(self, deadline: float | None) -> bool:
        """Wait until *deadline* (None: forever), and return True.

        Return False as soon as the client disconnects.
        """
        try:
            async with asyncio.timeout_at(deadline):
                await self._receive()  # after a complete request only a disconnect can come
        except TimeoutError:
            return True
        return False

    async def send(self, response: Response) -> None:
        """Send a complete response."""
        await self._start(response)
        await self._send({"type": "http.response.body", "body": response.body})

    async def send_truncated(self, response: Response) -> None:
        """Announce the full content length, send half of the body and close the connection.

        A response without a body would be complete with its headers, so nothing is sent.
        """
        if response.body:
            await self._start(response)
            half = response.body[: len(response.body) // 2]
            await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await self.close()

    async def close(self) -> None:
        """Close the connection without sending anything more.

        Waits until the server has noticed; otherwise the server would log a missing response.
        Raises ConnectionDroppedError if the client runs in the same process.
        """
        close: Close | None = self._scope.get("state", {}).get(CLOSE)
        if close is None:
            raise ConnectionDroppedError
        close()
        await self._receive()

    async def _start(self, response: Response) -> None:
        headers = [*response.headers]
        if response.body:
            headers.append((b"content-length", str(len(response.body)).encode()))
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
