"""Services that are out of order, on ports of their own, so that nobody's mock services need faults."""

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias

__all__ = ("Breakage", "broken_services")

Breakage: TypeAlias = Literal["dead", "hanging", "garbage"]
"""Nobody listens; it listens and never answers; it answers with 200 and no JSON."""

_HOST: Final = "127.0.0.1"
_GARBAGE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\nConnection: close\r\n\r\n"
    b"not JSON"
)


@asynccontextmanager
async def broken_services() -> AsyncGenerator[Mapping[Breakage, str]]:
    """Run one service of each kind; give their URLs."""
    hanging = await asyncio.start_server(_hang, _HOST)
    garbage = await asyncio.start_server(_talk_garbage, _HOST)
    # A port that is bound without listening refuses connections, and nobody else can take it meanwhile.
    with socket.socket() as dead:
        dead.bind((_HOST, 0))
        async with hanging, garbage:
            yield {
                "dead": _url(dead.getsockname()),
                "hanging": _url(hanging.sockets[0].getsockname()),
                "garbage": _url(garbage.sockets[0].getsockname()),
            }


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://{host}:{port}"


async def _hang(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(ConnectionError), contextlib.closing(writer):
        await reader.read()  # until the caller has left


async def _talk_garbage(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.closing(writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_GARBAGE)
