"""The protocol of a client connection, over a fake transport, on the jumping clock."""

import asyncio
import gc
import weakref
from typing import Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.server import ServerState

from gateway.server.protocol import IDLE_GRACE, HeadTimeoutProtocol

KEEP_ALIVE: Final = 75
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
BODY: Final = b"x" * 50
REQUEST_WITH_BODY: Final = b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(BODY)
"""The app answers it without reading the body."""


class FakeTransport(asyncio.Transport):
    """Records the bytes sent to the client, and when the server closed the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed_at: float | None = None
        self.is_aborted = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    @override
    def close(self) -> None:
        self.closed_at = asyncio.get_running_loop().time()

    @override
    def abort(self) -> None:
        self.is_aborted = True
        self.close()

    @override
    def is_closing(self) -> bool:
        return self.closed_at is not None

    @override
    def pause_reading(self) -> None:
        """Ignore flow control."""

    @override
    def resume_reading(self) -> None:
        """Ignore flow control."""


class Server:
    """One connection to an app that answers after *seconds*."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.transport = FakeTransport()
        config = uvicorn.Config(self._app, interface="asgi3", timeout_keep_alive=KEEP_ALIVE, log_config=None)
        self.protocol = HeadTimeoutProtocol(config, ServerState(), {})
        self.protocol.connection_made(self.transport)

    async def _app(self, _: Scope, __: Receive, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    @property
    def answers(self) -> int:
        return self.transport.sent.count(b"HTTP/1.1 204")


async def trickle(server: Server, sent: bytes) -> None:
    """Send a byte per second, until the server closes the connection."""
    for byte in sent:
        server.protocol.data_received(bytes([byte]))
        await asyncio.sleep(1)
        if server.transport.is_closing():
            break


@pytest.fixture
async def server() -> Server:
    return Server()


async def test_silent_client_is_disconnected(server: Server) -> None:
    await asyncio.sleep(1000)

    assert (server.transport.closed_at, server.transport.sent) == (HeadTimeoutProtocol.head_timeout, b"")


async def test_slow_head_of_first_request_times_out(server: Server) -> None:
    await asyncio.sleep(5)
    await trickle(server, REQUEST)

    assert (server.transport.closed_at, server.transport.sent) == (HeadTimeoutProtocol.head_timeout, b"")


async def test_slow_head_of_later_request_times_out(server: Server) -> None:
    server.protocol.data_received(REQUEST)
    await asyncio.sleep(20)
    server.protocol.data_received(REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (server.transport.closed_at, server.answers) == (20 + HeadTimeoutProtocol.head_timeout, 1)


async def test_head_in_pieces_is_answered_if_in_time(server: Server) -> None:
    server.seconds = 30
    server.protocol.data_received(REQUEST[:9])
    await asyncio.sleep(HeadTimeoutProtocol.head_timeout - 1)
    server.protocol.data_received(REQUEST[9:])
    await asyncio.sleep(1000)

    assert server.answers == 1
    assert server.transport.closed_at == HeadTimeoutProtocol.head_timeout - 1 + 30 + KEEP_ALIVE


async def test_pipelined_head_is_timed_from_the_last_answer(
    server: Server,
) -> None:
    server.seconds = 30
    server.protocol.data_received(REQUEST + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (server.transport.closed_at, server.answers) == (30 + HeadTimeoutProtocol.head_timeout, 1)


@pytest.mark.parametrize("sent", [b"", BODY])
async def test_slow_rest_of_an_answered_body_times_out(server: Server, sent: bytes) -> None:
    server.seconds = 3
    server.protocol.data_received(REQUEST_WITH_BODY)
    await asyncio.sleep(5)
    await trickle(server, sent)
    await asyncio.sleep(1000)

    assert (server.transport.closed_at, server.answers) == (3 + HeadTimeoutProtocol.head_timeout, 1)


async def test_keep_alive_after_the_rest_of_an_answered_body(server: Server) -> None:
    for _ in range(2):
        server.protocol.data_received(REQUEST_WITH_BODY)
        await asyncio.sleep(HeadTimeoutProtocol.head_timeout - 1)
        server.protocol.data_received(BODY)
        await asyncio.sleep(20)
    await asyncio.sleep(1000)

    assert server.answers == 2
    assert server.transport.closed_at == 2 * (HeadTimeoutProtocol.head_timeout - 1) + 20 + KEEP_ALIVE


async def test_head_after_an_answered_body_has_its_own_timeout(server: Server) -> None:
    server.protocol.data_received(REQUEST_WITH_BODY)
    await asyncio.sleep(7)
    server.protocol.data_received(BODY + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert server.transport.closed_at == 7 + HeadTimeoutProtocol.head_timeout


async def test_malformed_request_gets_400(server: Server) -> None:
    server.protocol.data_received(b"HELLO\r\n\r\n")

    assert server.transport.sent.startswith(b"HTTP/1.1 400 ")
    assert server.transport.is_closing()


async def test_malformed_body_after_its_answer_only_closes(server: Server) -> None:
    server.protocol.data_received(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(1)
    server.protocol.data_received(b"no length\r\n")

    assert (server.transport.closed_at, server.answers) == (1, 1)
    assert server.transport.sent.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
@pytest.mark.parametrize("sent", [b"", REQUEST, REQUEST[:-1], REQUEST + REQUEST[:-1], REQUEST_WITH_BODY])
async def test_lost_connection_is_freed_at_once(server: Server, sent: bytes, error: Exception | None) -> None:
    if sent:
        server.protocol.data_received(sent)
    await asyncio.sleep(1)
    server.protocol.connection_lost(error)
    protocol = weakref.ref(server.protocol)
    del server.protocol
    gc.collect()

    assert protocol() is None


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_closes_an_idle_connection_after_its_grace(server: Server, requests: int) -> None:
    for _ in range(requests):
        server.protocol.data_received(REQUEST)
    await asyncio.sleep(1)
    server.protocol.shutdown()
    await asyncio.sleep(5)

    assert (server.transport.closed_at, server.answers) == (1 + IDLE_GRACE, requests)
    assert not server.transport.is_aborted


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_answers_a_request_on_its_way(server: Server, requests: int) -> None:
    server.seconds = 3
    for _ in range(requests):
        server.protocol.data_received(REQUEST)
    await asyncio.sleep(5)
    server.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE / 2)
    server.protocol.data_received(REQUEST)
    await asyncio.sleep(IDLE_GRACE)

    assert not server.transport.is_closing()
    await asyncio.sleep(3)
    assert server.answers == requests + 1


async def test_shutdown_answers_a_request_with_a_partial_head(server: Server) -> None:
    server.protocol.data_received(REQUEST[:9])
    server.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE * 2)
    server.protocol.data_received(REQUEST[9:])
    await asyncio.sleep(1)

    assert server.answers == 1


async def test_shutdown_closes_after_the_current_request(
    server: Server,
) -> None:
    server.seconds = 3
    server.protocol.data_received(REQUEST)
    server.protocol.shutdown()
    await asyncio.sleep(1000)

    assert (server.answers, server.transport.closed_at) == (1, 3)


async def test_abort_closes_at_once(server: Server) -> None:
    server.protocol.abort()

    assert server.transport.is_aborted
