"""The line to a caller, which may break from either end."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from starlette.types import Receive, Scope, Send

from mock_services.answers import Answer

__all__ = ["CLOSE", "Close", "Connection", "ConnectionDroppedError"]

Close: TypeAlias = Callable[[], None]

CLOSE: Final = "mock_services.close"
"""Where the server leaves a function that closes the connection: ASGI itself has no such message."""


class ConnectionDroppedError(ConnectionError):
    """The connection was to be closed, but there is none: the caller runs in this process."""


class Connection:
    """One request's share of a connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send

    async def read_body(self) -> bytes | None:
        """Read the request's body; None if the caller left before its end."""
        chunks: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(chunks)

    async def stays_until(self, deadline: float | None) -> bool:
        """Wait until a time of the loop's clock (None: forever); False as soon as the caller leaves."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._receive()  # after a whole request only the end can come
        except TimeoutError:
            return True
        return False

    async def send(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self._start(answer)
        await self._send({"type": "http.response.body", "body": answer.body})

    async def send_half(self, answer: Answer) -> None:
        """Promise a whole answer, send half of its body and close the connection.

        An answer without a body would be whole as soon as it begins, so nothing of it is sent.
        """
        if answer.body:
            await self._start(answer)
            half = answer.body[: len(answer.body) // 2]
            await self._send({"type": "http.response.body", "body": half, "more_body": True})
        await self.close()

    async def close(self) -> None:
        """Close the connection, so that the caller gets nothing more.

        Returns when the server has seen the end, and so does not take the silence for a bug.
        Raises ConnectionDroppedError in the process of the caller.
        """
        close: Close | None = self._scope.get("state", {}).get(CLOSE)
        if close is None:
            raise ConnectionDroppedError
        close()
        await self._receive()

    async def _start(self, answer: Answer) -> None:
        headers = [*answer.headers]
        if answer.body:
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
