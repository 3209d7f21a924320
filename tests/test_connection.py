"""A client's connection, over a line that is only pretended, on a clock that jumps."""

import asyncio
from typing import Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from gateway.connection import LAST_CALL, Connection

KEEP_ALIVE: Final = 75
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"


class Line(asyncio.Transport):
    """What is sent to the client, and when the server has closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed_at: float | None = None
        self.is_cut = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    @override
    def close(self) -> None:
        self.closed_at = asyncio.get_running_loop().time()

    @override
    def abort(self) -> None:
        self.is_cut = True
        self.close()

    @override
    def is_closing(self) -> bool:
        return self.closed_at is not None

    @override
    def resume_reading(self) -> None:
        """Read on."""


class Server:
    """An app that answers after *seconds*, on one connection."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.line = Line()
        config = uvicorn.Config(
            self._answer, interface="asgi3", timeout_keep_alive=KEEP_ALIVE, log_config=None
        )
        self.connection = Connection(config, ServerState(), {})
        self.connection.connection_made(self.line)

    async def _answer(self, _: Scope, __: Receive, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def answers(self) -> int:
        return self.line.sent.count(b"HTTP/1.1 204")


@pytest.fixture
async def server() -> Server:
    return Server()


async def test_who_never_says_anything_is_kept_as_long_as_an_idle_connection(server: Server) -> None:
    await asyncio.sleep(1000)

    assert (server.line.closed_at, server.line.sent) == (KEEP_ALIVE, b"")


async def test_the_head_of_a_request_must_arrive_in_time(server: Server) -> None:
    await asyncio.sleep(5)
    for byte in REQUEST:
        server.connection.data_received(bytes([byte]))
        await asyncio.sleep(1)
        if server.line.is_closing():
            break

    assert (server.line.closed_at, server.line.sent) == (5 + Connection.head_seconds, b"")


async def test_so_must_that_of_the_next_one(server: Server) -> None:
    server.connection.data_received(REQUEST)
    await asyncio.sleep(20)
    server.connection.data_received(REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (server.line.closed_at, server.answers) == (20 + Connection.head_seconds, 1)


async def test_a_head_that_comes_in_pieces_but_in_time_is_answered(server: Server) -> None:
    server.seconds = 30
    server.connection.data_received(REQUEST[:9])
    await asyncio.sleep(Connection.head_seconds - 1)
    server.connection.data_received(REQUEST[9:])
    await asyncio.sleep(1000)

    assert server.answers == 1
    assert server.line.closed_at == Connection.head_seconds - 1 + 30 + KEEP_ALIVE


@pytest.mark.parametrize("requests", [0, 1])
async def test_a_connection_without_a_request_is_closed_when_the_server_stops(
    server: Server, requests: int
) -> None:
    for _ in range(requests):
        server.connection.data_received(REQUEST)
    await asyncio.sleep(1)
    server.connection.shutdown()
    await asyncio.sleep(5)

    assert (server.line.closed_at, server.answers) == (1 + LAST_CALL, requests)
    assert not server.line.is_cut


@pytest.mark.parametrize("requests", [0, 1])
async def test_a_request_that_was_on_its_way_by_then_is_answered(server: Server, requests: int) -> None:
    server.seconds = 3
    for _ in range(requests):
        server.connection.data_received(REQUEST)
    await asyncio.sleep(10)
    server.connection.shutdown()
    await asyncio.sleep(LAST_CALL / 2)
    server.connection.data_received(REQUEST)
    await asyncio.sleep(LAST_CALL)

    assert not server.line.is_closing()
    await asyncio.sleep(3)
    assert server.answers == requests + 1


async def test_so_is_one_that_had_come_in_half(server: Server) -> None:
    server.connection.data_received(REQUEST[:9])
    server.connection.shutdown()
    await asyncio.sleep(LAST_CALL * 2)
    server.connection.data_received(REQUEST[9:])
    await asyncio.sleep(1)

    assert server.answers == 1


async def test_the_connection_of_a_request_that_is_under_way_is_closed_once_it_is_answered(
    server: Server,
) -> None:
    server.seconds = 3
    server.connection.data_received(REQUEST)
    server.connection.shutdown()
    await asyncio.sleep(1000)

    assert (server.answers, server.line.closed_at) == (1, 3)


async def test_it_can_be_cut(server: Server) -> None:
    server.connection.hang_up()

    assert server.line.is_cut
