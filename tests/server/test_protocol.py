"""A client's connection, over a line that is only pretended, on a clock that jumps."""

import asyncio
import gc
import weakref
from typing import Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from gateway.server.protocol import LAST_CALL, Connection

KEEP_ALIVE: Final = 75
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
BODY: Final = b"x" * 50
WITH_A_BODY: Final = b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(BODY)
"""It is answered before its body has come."""


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
    def pause_reading(self) -> None:
        """Read no further."""

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


async def trickle(server: Server, sent: bytes) -> None:
    """Send a byte a second, until the server has closed."""
    for byte in sent:
        server.connection.data_received(bytes([byte]))
        await asyncio.sleep(1)
        if server.line.is_closing():
            break


@pytest.fixture
async def server() -> Server:
    return Server()


async def test_who_never_says_anything_is_not_waited_for_longer_than_a_request(server: Server) -> None:
    await asyncio.sleep(1000)

    assert (server.line.closed_at, server.line.sent) == (Connection.head_seconds, b"")


async def test_the_head_of_the_first_request_must_arrive_in_time(server: Server) -> None:
    await asyncio.sleep(5)
    await trickle(server, REQUEST)

    assert (server.line.closed_at, server.line.sent) == (Connection.head_seconds, b"")


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


async def test_a_head_that_had_come_in_half_before_the_last_answer_has_as_long_from_then_on(
    server: Server,
) -> None:
    server.seconds = 30
    server.connection.data_received(REQUEST + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (server.line.closed_at, server.answers) == (30 + Connection.head_seconds, 1)


@pytest.mark.parametrize("sent", [b"", BODY])
async def test_a_body_that_was_answered_before_it_had_come_must_arrive_in_time(
    server: Server, sent: bytes
) -> None:
    server.seconds = 3
    server.connection.data_received(WITH_A_BODY)
    await asyncio.sleep(5)
    await trickle(server, sent)
    await asyncio.sleep(1000)

    assert (server.line.closed_at, server.answers) == (3 + Connection.head_seconds, 1)


async def test_after_one_that_does_the_connection_is_kept(server: Server) -> None:
    for _ in range(2):
        server.connection.data_received(WITH_A_BODY)
        await asyncio.sleep(Connection.head_seconds - 1)
        server.connection.data_received(BODY)
        await asyncio.sleep(20)
    await asyncio.sleep(1000)

    assert server.answers == 2
    assert server.line.closed_at == 2 * (Connection.head_seconds - 1) + 20 + KEEP_ALIVE


async def test_the_head_that_comes_with_the_end_of_such_a_body_has_its_own_time(server: Server) -> None:
    server.connection.data_received(WITH_A_BODY)
    await asyncio.sleep(7)
    server.connection.data_received(BODY + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert server.line.closed_at == 7 + Connection.head_seconds


async def test_what_is_no_http_is_refused(server: Server) -> None:
    server.connection.data_received(b"HELLO\r\n\r\n")

    assert server.line.sent.startswith(b"HTTP/1.1 400 ")
    assert server.line.is_closing()


async def test_a_body_that_is_no_http_after_its_answer_only_ends_the_connection(server: Server) -> None:
    server.connection.data_received(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(1)
    server.connection.data_received(b"no length\r\n")

    assert (server.line.closed_at, server.answers) == (1, 1)
    assert server.line.sent.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
@pytest.mark.parametrize("sent", [b"", REQUEST, REQUEST[:-1], REQUEST + REQUEST[:-1], WITH_A_BODY])
async def test_a_connection_that_is_lost_is_forgotten_at_once(
    server: Server, sent: bytes, error: Exception | None
) -> None:
    if sent:
        server.connection.data_received(sent)
    await asyncio.sleep(1)
    server.connection.connection_lost(error)
    connection = weakref.ref(server.connection)
    del server.connection
    gc.collect()

    assert connection() is None


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
    await asyncio.sleep(5)
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
