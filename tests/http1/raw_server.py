"""Server on a real socket, whose handler reads and writes bytes."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

__all__ = ("OK", "Handler", "answer_all", "hang", "respond_with", "serve")

Handler: TypeAlias = Callable[[StreamReader, StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def serve(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Serve on loopback, with a call of *handler* for each connection, and yield the port."""

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has disconnected
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, backlog=512)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def respond_with(*parts: bytes) -> Handler:
    """Return a handler that answers a request with *parts*, and then closes the connection."""

    async def send(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return send


async def answer_all(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer every request with `OK`."""
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)


async def hang(reader: StreamReader, _: StreamWriter) -> None:
    """Answer nothing until the client disconnects."""
    while await reader.read(1024):
        pass
