"""Service on a real socket that answers every request, and sends surplus data when a test calls `send`."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, final


def build_response(body: bytes, status: bytes = b"200 OK", media_type: bytes = b"application/json") -> bytes:
    """Return an HTTP/1.1 response with *body*."""
    fields = (status, media_type, len(body), body)
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % fields


def echo_path(head: bytes) -> bytes:
    """Return a response with the path of the request as its body."""
    return build_response(head.split()[1])


@final
class RawConnection:
    """Server side of a connection."""

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer
        self.is_closed: Final = asyncio.Event()

    def send(self, data: bytes) -> None:
        """Send *data*, with or without a request; on loopback it arrives at once."""
        self._writer.write(data)

    async def wait_closed(self) -> None:
        """Wait until the client closes the connection, for less time than its keep-alive of 4 s."""
        async with asyncio.timeout(2):
            await self.is_closed.wait()


@final
class RawService:
    """Answers each request with the bytes that *answer* returns for its head."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self.connections: Final[list[RawConnection]] = []
        self.has_answered: Final = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def listen(self) -> AsyncGenerator["RawService"]:
        """Serve on a free port of loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = RawConnection(writer)
        self.connections.append(connection)
        try:
            while True:
                connection.send(self._answer(await reader.readuntil(b"\r\n\r\n")))
                self.has_answered.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            connection.is_closed.set()
        finally:
            writer.close()
