"""HTTP protocol of a client connection, over a fake transport, on the jumping clock."""

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

HEAD_TIMEOUT: Final = HeadTimeoutProtocol.head_timeout
KEEP_ALIVE: Final = 75
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
BODY: Final = b"x" * 50
REQUEST_WITH_BODY: Final = b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(BODY)
"""Head of a request with a body; the app responds without reading the body."""


class FakeTransport(asyncio.Transport):
    """Transport that records the bytes sent to the client, and the time at which it is closed."""

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


class Connection:
    """Connection to an app that responds after `seconds`."""

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
    def responses(self) -> int:
        return self.transport.sent.count(b"HTTP/1.1 204")


async def trickle(connection: Connection, sent: bytes) -> None:
    """Send one byte of *sent* per second, until all are sent or the server closes the connection."""
    for byte in sent:
        connection.protocol.data_received(bytes([byte]))
        await asyncio.sleep(1)
        if connection.transport.is_closing():
            break


@pytest.fixture
async def connection() -> Connection:
    return Connection()


async def test_silent_client_is_disconnected(connection: Connection) -> None:
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.transport.sent) == (HEAD_TIMEOUT, b"")


async def test_slow_first_request_head_times_out(connection: Connection) -> None:
    await asyncio.sleep(5)
    await trickle(connection, REQUEST)

    assert (connection.transport.closed_at, connection.transport.sent) == (HEAD_TIMEOUT, b"")


async def test_slow_later_request_head_times_out(connection: Connection) -> None:
    connection.protocol.data_received(REQUEST)
    await asyncio.sleep(20)
    connection.protocol.data_received(REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (20 + HEAD_TIMEOUT, 1)


async def test_request_head_sent_in_pieces_is_answered(connection: Connection) -> None:
    connection.seconds = 30
    connection.protocol.data_received(REQUEST[:9])
    await asyncio.sleep(HEAD_TIMEOUT - 1)
    connection.protocol.data_received(REQUEST[9:])
    await asyncio.sleep(1000)

    assert connection.responses == 1
    assert connection.transport.closed_at == HEAD_TIMEOUT - 1 + 30 + KEEP_ALIVE


async def test_timeout_of_pipelined_head_starts_at_response(
    connection: Connection,
) -> None:
    connection.seconds = 30
    connection.protocol.data_received(REQUEST + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (30 + HEAD_TIMEOUT, 1)


@pytest.mark.parametrize("sent", [b"", BODY])
async def test_slow_body_after_response_times_out(connection: Connection, sent: bytes) -> None:
    connection.seconds = 3
    connection.protocol.data_received(REQUEST_WITH_BODY)
    await asyncio.sleep(5)
    await trickle(connection, sent)
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (3 + HEAD_TIMEOUT, 1)


async def test_keep_alive_starts_after_whole_body(connection: Connection) -> None:
    for _ in range(2):
        connection.protocol.data_received(REQUEST_WITH_BODY)
        await asyncio.sleep(HEAD_TIMEOUT - 1)
        connection.protocol.data_received(BODY)
        await asyncio.sleep(20)
    await asyncio.sleep(1000)

    assert connection.responses == 2
    assert connection.transport.closed_at == 2 * (HEAD_TIMEOUT - 1) + 20 + KEEP_ALIVE


async def test_head_after_rest_of_body_has_timeout(connection: Connection) -> None:
    connection.protocol.data_received(REQUEST_WITH_BODY)
    await asyncio.sleep(7)
    connection.protocol.data_received(BODY + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert connection.transport.closed_at == 7 + HEAD_TIMEOUT


async def test_malformed_request_gets_400(connection: Connection) -> None:
    connection.protocol.data_received(b"HELLO\r\n\r\n")

    assert connection.transport.sent.startswith(b"HTTP/1.1 400 ")
    assert connection.transport.is_closing()


async def test_malformed_body_after_response_only_closes(connection: Connection) -> None:
    """If the rest of a body is malformed, the server closes the connection without a second response."""
    connection.protocol.data_received(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(1)
    connection.protocol.data_received(b"no length\r\n")

    assert (connection.transport.closed_at, connection.responses) == (1, 1)
    assert connection.transport.sent.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
@pytest.mark.parametrize("sent", [b"", REQUEST, REQUEST[:-1], REQUEST + REQUEST[:-1], REQUEST_WITH_BODY])
async def test_lost_connection_is_freed_at_once(
    connection: Connection, sent: bytes, error: Exception | None
) -> None:
    if sent:
        connection.protocol.data_received(sent)
    await asyncio.sleep(1)
    connection.protocol.connection_lost(error)
    protocol = weakref.ref(connection.protocol)
    del connection.protocol
    gc.collect()

    assert protocol() is None


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_closes_idle_connection_after_grace(connection: Connection, requests: int) -> None:
    for _ in range(requests):
        connection.protocol.data_received(REQUEST)
    await asyncio.sleep(1)
    connection.protocol.shutdown()
    await asyncio.sleep(5)

    assert (connection.transport.closed_at, connection.responses) == (1 + IDLE_GRACE, requests)
    assert not connection.transport.is_aborted


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_answers_request_in_transit(connection: Connection, requests: int) -> None:
    connection.seconds = 3
    for _ in range(requests):
        connection.protocol.data_received(REQUEST)
    await asyncio.sleep(5)
    connection.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE / 2)
    connection.protocol.data_received(REQUEST)
    await asyncio.sleep(IDLE_GRACE)

    assert not connection.transport.is_closing()
    await asyncio.sleep(3)
    assert connection.responses == requests + 1


async def test_shutdown_answers_request_with_partial_head(connection: Connection) -> None:
    connection.protocol.data_received(REQUEST[:9])
    connection.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE * 2)
    connection.protocol.data_received(REQUEST[9:])
    await asyncio.sleep(1)

    assert connection.responses == 1


async def test_shutdown_closes_after_current_request(
    connection: Connection,
) -> None:
    connection.seconds = 3
    connection.protocol.data_received(REQUEST)
    connection.protocol.shutdown()
    await asyncio.sleep(1000)

    assert (connection.responses, connection.transport.closed_at) == (1, 3)


async def test_abort_closes_connection_at_once(connection: Connection) -> None:
    connection.protocol.abort()

    assert connection.transport.is_aborted
