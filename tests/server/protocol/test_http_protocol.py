"""HTTP protocol of a client connection, over a fake transport, on the jumping clock."""

import asyncio
import gc
import re
import weakref
from collections.abc import AsyncIterator
from typing import Final

import pytest

from gateway.api.admission.admission import Admission
from gateway.api.application import Gateway
from gateway.server.connections import ServerConnections
from gateway.server.front_door import FrontDoor
from gateway.server.protocol.http_protocol import (
    IDLE_GRACE,
    MAX_FRAMING,
    MAX_PIPELINED,
    MAX_UNREAD,
    HttpProtocol,
)
from tests.api.sample_gateway import FakeServices, build_sample_gateway, build_state
from tests.server.connection import KEEP_ALIVE, Connection

HEAD_TIMEOUT: Final = HttpProtocol.head_timeout
REST_TIMEOUT: Final = HttpProtocol.rest_timeout
WRITE_TIMEOUT: Final = HttpProtocol.write_timeout
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"
BODY: Final = b"x" * 50
REQUEST_WITH_BODY: Final = b"POST / HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(BODY)
CHUNKED: Final = b"POST / HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTING: Final = REQUEST_WITH_BODY.replace(b"Host", b"Expect: 100-continue\r\nHost")
REFUSED: Final = b"GET /users/u-1 HTTP/1.1\r\nHost: gateway\r\n\r\n"
"""Request for a pipeline, which a full gateway refuses."""
PAUSE: Final = 0.1


async def trickle(connection: Connection, sent: bytes) -> None:
    """Send one byte of *sent* per second, until all are sent or the server closes the connection."""
    for byte in sent:
        connection.receive(bytes([byte]))
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
    connection.receive(REQUEST)
    await asyncio.sleep(20)
    connection.receive(REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (20 + HEAD_TIMEOUT, 1)


async def test_request_head_sent_in_pieces_is_answered(connection: Connection) -> None:
    connection.seconds = 30
    connection.receive(REQUEST[:9])
    await asyncio.sleep(HEAD_TIMEOUT - 1)
    connection.receive(REQUEST[9:])
    await asyncio.sleep(1000)

    assert connection.responses == 1
    assert connection.transport.closed_at == HEAD_TIMEOUT - 1 + 30 + KEEP_ALIVE


@pytest.mark.parametrize("seconds", [0, 3])
async def test_empty_line_after_request_is_no_head(connection: Connection, seconds: float) -> None:
    """Old clients send one after a body; it neither ends the wait for a request nor begins a head."""
    connection.seconds = 3
    connection.receive(REQUEST)
    await asyncio.sleep(5 - seconds)
    connection.receive(b"\r\n")
    assert connection.transport.is_reading()
    await asyncio.sleep(1000)

    assert connection.transport.closed_at == 3 + KEEP_ALIVE


async def test_timeout_of_pipelined_head_starts_at_response(
    connection: Connection,
) -> None:
    connection.seconds = 30
    connection.receive(REQUEST + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (30 + HEAD_TIMEOUT, 1)


@pytest.mark.parametrize("sent", [b"", BODY[:9]])
async def test_slow_body_after_response_times_out(connection: Connection, sent: bytes) -> None:
    connection.seconds = 3
    connection.receive(REQUEST_WITH_BODY)
    await asyncio.sleep(3 + REST_TIMEOUT / 2)
    connection.receive(sent)
    await asyncio.sleep(1000)

    assert (connection.transport.closed_at, connection.responses) == (3 + REST_TIMEOUT, 1)


async def test_keep_alive_starts_after_whole_body(connection: Connection) -> None:
    for _ in range(2):
        connection.receive(REQUEST_WITH_BODY)
        await asyncio.sleep(REST_TIMEOUT / 2)
        connection.receive(BODY)
        await asyncio.sleep(20)
    await asyncio.sleep(1000)

    assert connection.responses == 2
    assert connection.transport.closed_at == REST_TIMEOUT + 20 + KEEP_ALIVE


async def test_head_after_rest_of_body_has_timeout(connection: Connection) -> None:
    connection.receive(REQUEST_WITH_BODY)
    await asyncio.sleep(REST_TIMEOUT / 2)
    connection.receive(BODY + REQUEST[:-1])
    await asyncio.sleep(1000)

    assert connection.transport.closed_at == REST_TIMEOUT / 2 + HEAD_TIMEOUT


@pytest.mark.parametrize("start", [REQUEST_WITH_BODY, CHUNKED])
async def test_endless_body_after_response_closes(connection: Connection, start: bytes) -> None:
    connection.receive(start.replace(b"50", b"999999"))
    await asyncio.sleep(0.1)
    for _ in range(MAX_UNREAD // 1000 + 1):
        assert not connection.transport.is_closing()
        connection.receive(b"3e1\r\n%b\r\n" % (b"x" * 993))

    assert (connection.transport.closed_at, connection.responses) == (0.1, 1)


async def test_malformed_request_gets_400(connection: Connection) -> None:
    connection.receive(b"HELLO\r\n\r\n")

    assert connection.status == 400
    assert connection.transport.has_sent_eof
    await asyncio.sleep(1000)
    assert connection.transport.closed_at == REST_TIMEOUT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HELLO\r\n\r\n", "its request line must be a method, a path and HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n\r\n", "it must have one valid Host header"),
        (REQUEST[:-2] + b"Transfer-Encoding: gzip\r\n\r\n", "its Transfer-Encoding must be chunked"),
        (REQUEST[:-2] + b"Content-Length: x\r\n\r\n", "Invalid character in Content-Length"),
    ],
)
async def test_400_has_its_reason(connection: Connection, data: bytes, reason: str) -> None:
    connection.receive(data)

    assert f"The request is not valid HTTP/1.1: {reason}".encode() in connection.transport.sent


async def test_malformed_body_after_response_only_closes(connection: Connection) -> None:
    """If the rest of a body is malformed, the server closes the connection without a second response."""
    connection.receive(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(REST_TIMEOUT / 2)
    connection.receive(b"no length\r\n")

    assert (connection.transport.closed_at, connection.responses) == (REST_TIMEOUT / 2, 1)
    assert connection.transport.sent.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("error", [None, ConnectionResetError()])
@pytest.mark.parametrize("sent", [b"", REQUEST, REQUEST[:-1], REQUEST + REQUEST[:-1], REQUEST_WITH_BODY])
async def test_lost_connection_is_freed_at_once(
    connection: Connection, sent: bytes, error: Exception | None
) -> None:
    if sent:
        connection.receive(sent)
    await asyncio.sleep(1)
    connection.transport.protocol = None
    connection.protocol.connection_lost(error)
    protocol = weakref.ref(connection.protocol)
    del connection.protocol
    gc.collect()

    assert protocol() is None


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_closes_idle_connection_after_grace(connection: Connection, requests: int) -> None:
    for _ in range(requests):
        connection.receive(REQUEST)
    await asyncio.sleep(1)
    connection.protocol.shutdown()
    await asyncio.sleep(5)

    assert (connection.transport.closed_at, connection.responses) == (1 + IDLE_GRACE, requests)
    assert not connection.transport.is_aborted


@pytest.mark.parametrize("requests", [0, 1])
async def test_shutdown_answers_request_in_transit(connection: Connection, requests: int) -> None:
    connection.seconds = 3
    for _ in range(requests):
        connection.receive(REQUEST)
    await asyncio.sleep(5)
    connection.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE / 2)
    connection.receive(REQUEST)
    await asyncio.sleep(IDLE_GRACE)

    assert not connection.transport.is_closing()
    await asyncio.sleep(3)
    assert connection.responses == requests + 1


async def test_shutdown_answers_request_with_partial_head(connection: Connection) -> None:
    connection.receive(REQUEST[:9])
    connection.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE * 2)
    connection.receive(REQUEST[9:])
    await asyncio.sleep(1)

    assert connection.responses == 1


async def test_shutdown_closes_after_current_request(
    connection: Connection,
) -> None:
    connection.seconds = 3
    connection.receive(REQUEST)
    connection.protocol.shutdown()
    await asyncio.sleep(1000)

    assert (connection.responses, connection.transport.closed_at) == (1, 3)


async def test_abort_closes_connection_at_once(connection: Connection) -> None:
    connection.protocol.abort()

    assert connection.transport.is_aborted


async def test_malformed_body_before_response_gets_400(connection: Connection) -> None:
    """The app sees the end of the connection, and its response is not sent."""
    connection.reads_body = True
    connection.receive(CHUNKED)
    await asyncio.sleep(1)
    connection.receive(b"no length\r\n")
    await asyncio.sleep(1)

    assert (connection.status, connection.responses) == (400, 0)
    assert connection.messages == ["http.disconnect"]


async def test_client_that_sends_on_after_400_is_cut(connection: Connection) -> None:
    connection.receive(b"HELLO\r\n\r\n")
    connection.receive(b"x" * MAX_UNREAD)
    assert not connection.transport.is_closing()
    connection.receive(b"x")

    assert connection.transport.is_closing()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
async def test_segments_do_not_matter(connection: Connection, step: int) -> None:
    connection.reads_body = True
    chunks = b"5;a=b\r\nhe\r\n\r\r\n4\r\n\r\n\r\n\r\n0\r\nTrailer: a\r\n\r\n"
    data = b"\r\n" + CHUNKED + chunks + REQUEST_WITH_BODY + BODY + REQUEST + REQUEST
    for start in range(0, len(data), step):
        connection.receive(data[start : start + step])
    await asyncio.sleep(1)

    assert connection.responses == 4
    assert connection.bodies == [b"he\r\n\r\r\n\r\n", BODY, b"", b""]


@pytest.mark.parametrize(("version", "interim"), [(b"HTTP/1.1", 1), (b"HTTP/1.0", 0)])
async def test_only_http_1_1_gets_100_continue(connection: Connection, version: bytes, interim: int) -> None:
    connection.reads_body = True
    connection.receive(EXPECTING.replace(b"HTTP/1.1", version))
    await asyncio.sleep(1)

    assert connection.transport.sent.count(b"HTTP/1.1 100 Continue") == interim


async def test_trailer_is_no_header(connection: Connection) -> None:
    connection.reads_body = True
    connection.receive(CHUNKED + b"0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n")
    await asyncio.sleep(1)

    assert [name for name, _ in connection.scopes[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize(
    "framing",
    [b"1\r\nx\r\n" * (MAX_FRAMING // 5 + 1), b"1;" + b"a" * MAX_FRAMING, b"0\r\nA: " + b"a" * MAX_FRAMING],
)
async def test_body_with_more_framing_than_data_gets_400(connection: Connection, framing: bytes) -> None:
    connection.reads_body = True
    connection.receive(CHUNKED + framing)
    await asyncio.sleep(1)

    assert (connection.status, connection.responses) == (400, 0)


@pytest.mark.parametrize("size", [100, 2 * MAX_FRAMING])
async def test_large_chunked_body_is_read(connection: Connection, size: int) -> None:
    """There is no limit of chunks that are not tiny."""
    connection.reads_body = True
    connection.receive(CHUNKED)
    for _ in range(2_000_000 // size):
        connection.receive(b"%x\r\n%b\r\n" % (size, b"x" * size))
    connection.receive(b"0\r\n\r\n")
    await asyncio.sleep(1)

    assert connection.bodies == [b"x" * size * (2_000_000 // size)]


async def test_data_of_empty_lines_gets_400(connection: Connection) -> None:
    """Each of the empty lines could be the end of the body, so that each is parsed alone."""
    connection.reads_body = True
    connection.receive(CHUNKED + b"fffff\r\n" + b"\r\n" * MAX_FRAMING)
    await asyncio.sleep(1)

    assert (connection.status, connection.responses) == (400, 0)


@pytest.mark.parametrize(("end", "status"), [(b"no length\r\n\r\n", 400), (b"0\r\n\r\n", 204)])
async def test_body_over_limit_has_one_response(connection: Connection, end: bytes, status: int) -> None:
    """It may also be malformed, or may have ended when the limit is checked."""
    connection.reads_body = True
    connection.receive(CHUNKED + b"1\r\nx\r\n" * (MAX_FRAMING // 5 + 1) + end)
    await asyncio.sleep(1)

    assert connection.transport.sent.count(b"HTTP/1.1 ") == 1
    assert connection.status == status


async def test_response_to_head_precedes_refusal_of_next_request(connection: Connection) -> None:
    connection.receive(REQUEST.replace(b"GET", b"HEAD") + b"malformed\r\n\r\n")
    await asyncio.sleep(40)

    assert re.findall(rb"HTTP/1.1 (\d{3})", connection.transport.sent) == [b"204", b"400"]


async def test_pipelined_requests_are_not_read_before_response(connection: Connection) -> None:
    """A client cannot fill the memory of the gateway with requests that wait for each other."""
    connection.seconds = 3
    connection.receive(REQUEST + REQUEST)
    await asyncio.sleep(1)
    assert connection.transport.is_reading()
    connection.receive(b"x" * MAX_PIPELINED)
    assert not connection.transport.is_reading()
    await asyncio.sleep(3)
    assert (connection.responses, len(connection.scopes)) == (1, 2)


@pytest.mark.parametrize("progress", [0, 1])
async def test_response_that_is_not_read_times_out(connection: Connection, progress: int) -> None:
    connection.receive(REQUEST)
    connection.transport.unsent = 100_000
    connection.protocol.pause_writing()
    await asyncio.sleep(WRITE_TIMEOUT - 1)
    connection.transport.unsent -= progress
    await asyncio.sleep(1000)

    assert connection.transport.is_aborted
    assert connection.transport.closed_at == WRITE_TIMEOUT * (1 + progress)


async def test_response_that_is_read_late_does_not_time_out(connection: Connection) -> None:
    connection.receive(REQUEST)
    connection.transport.unsent = 100_000
    connection.protocol.pause_writing()
    await asyncio.sleep(WRITE_TIMEOUT - 1)
    connection.transport.unsent = 0
    connection.protocol.resume_writing()
    await asyncio.sleep(WRITE_TIMEOUT)

    assert not connection.transport.is_closing()


@pytest.mark.parametrize("close", [b"Connection: close\r\n\r\n", b"\r\n"])
async def test_closing_does_not_wait_for_client_that_does_not_read(
    connection: Connection, close: bytes
) -> None:
    """The end of keep-alive, or of the last response, does not wait for ever for the write buffer."""
    connection.transport.unsent = 1
    connection.receive(REQUEST[:-2] + close)
    await asyncio.sleep(1000)

    assert connection.transport.is_aborted
    assert connection.transport.closed_at == WRITE_TIMEOUT + (KEEP_ALIVE if close == b"\r\n" else 0)


@pytest.fixture
async def full_gateway() -> AsyncIterator[Gateway]:
    """Yield a gateway that is full for the duration of the test."""
    admission = Admission(1)
    gateway = build_sample_gateway(FakeServices(), build_state(admission=admission))
    with admission.request_slot({}, 0.0):
        yield gateway


@pytest.fixture
async def refusing(full_gateway: Gateway) -> Connection:
    """Return a connection whose requests for pipelines are refused at the front door."""
    return Connection(ServerConnections(100, FrontDoor(full_gateway), PAUSE))


async def test_refused_connection_is_not_read_for_a_time(refusing: Connection) -> None:
    refusing.receive(REFUSED)
    assert (refusing.status, refusing.transport.is_reading()) == (503, False)
    refusing.receive(REFUSED)  # as if it had been read before
    await asyncio.sleep(PAUSE * 0.9)
    assert refusing.transport.sent.count(b"HTTP/1.1 503") == 1
    await asyncio.sleep(PAUSE * 0.2)

    assert refusing.transport.sent.count(b"HTTP/1.1 503") == 2
    await asyncio.sleep(1000)
    assert refusing.transport.closed_at == PAUSE + KEEP_ALIVE
    assert not refusing.scopes


async def test_pause_after_refusal_can_be_off(full_gateway: Gateway) -> None:
    connection = Connection(ServerConnections(100, FrontDoor(full_gateway)))
    connection.receive(REFUSED * 3)
    assert connection.transport.sent.count(b"HTTP/1.1 503") == 1  # in each turn of the event loop
    await asyncio.sleep(1)

    assert connection.transport.sent.count(b"HTTP/1.1 503") == 3
    assert connection.transport.is_reading()


@pytest.mark.parametrize("framing", [b"Content-Length: 50\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_body_of_refused_request_is_discarded(refusing: Connection, framing: bytes) -> None:
    refusing.receive(REFUSED[:-2] + framing)
    await asyncio.sleep(REST_TIMEOUT * 0.9)
    refusing.receive((BODY if b"50" in framing else b"3\r\nabc\r\n0\r\n\r\n") + REQUEST)
    await asyncio.sleep(1)

    assert [scope["path"] for scope in refusing.scopes] == ["/"]
    assert (refusing.status, refusing.responses) == (503, 1)


async def test_malformed_body_of_refused_request_closes(refusing: Connection) -> None:
    refusing.receive(REFUSED[:-2] + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n")

    assert refusing.transport.is_closing()
    assert refusing.transport.sent.count(b"HTTP/1.1 ") == 1


async def test_app_handles_request_that_passes_front_door(refusing: Connection) -> None:
    refusing.receive(REQUEST)
    await asyncio.sleep(1)

    assert refusing.responses == 1


@pytest.mark.parametrize(
    "data", [REFUSED[:-2] + b"Connection: Close\r\n\r\n", REFUSED.replace(b"HTTP/1.1", b"HTTP/1.0")]
)
async def test_refusal_closes_if_client_wants(refusing: Connection, data: bytes) -> None:
    refusing.receive(data + REFUSED)

    assert (
        refusing.transport.sent.count(b"HTTP/1.1 ")
        == refusing.transport.sent.count(b"connection: close")
        == 1
    )
    assert refusing.transport.is_closing()


async def test_admitted_request_follows_refused_one(full_gateway: Gateway, refusing: Connection) -> None:
    refusing.receive(REFUSED)
    await asyncio.sleep(PAUSE * 2)
    assert refusing.transport.is_reading()
    full_gateway.shared.admission.in_flight.release()
    refusing.receive(REFUSED)
    await asyncio.sleep(1)
    full_gateway.shared.admission.in_flight.try_acquire()

    assert refusing.responses == 1


@pytest.mark.parametrize("pause", [PAUSE, IDLE_GRACE * 3])
async def test_shutdown_ends_pause(full_gateway: Gateway, pause: float) -> None:
    """A request that is already on its way gets a response, instead of a reset connection."""
    connection = Connection(ServerConnections(100, FrontDoor(full_gateway), pause))
    connection.receive(REFUSED + REQUEST)
    connection.protocol.shutdown()
    await asyncio.sleep(IDLE_GRACE / 2)

    assert connection.responses == 1
    assert connection.transport.is_reading()


@pytest.mark.parametrize("start", [REFUSED, REQUEST_WITH_BODY])
async def test_lost_connection_has_no_timers(
    full_gateway: Gateway, caplog: pytest.LogCaptureFixture, start: bytes
) -> None:
    connection = Connection(ServerConnections(100, FrontDoor(full_gateway), PAUSE))
    connection.receive(start)
    connection.transport.unsent = 100_000
    connection.protocol.pause_writing()
    await asyncio.sleep(0.01)
    connection.transport.abort()
    await asyncio.sleep(0.01)
    protocol = weakref.ref(connection.protocol)
    del connection.protocol
    gc.collect()

    assert protocol() is None
    assert not caplog.records


async def test_last_request_ends_parsing(connection: Connection) -> None:
    """A request after one that closes the connection is not handled."""
    connection.receive(REQUEST[:-2] + b"Connection: close\r\n\r\n" + REQUEST)
    await asyncio.sleep(1)

    assert (connection.responses, len(connection.scopes)) == (1, 1)
    assert connection.transport.sent.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("request_data", [EXPECTING, b"POST /users/u-1 HTTP/1.1" + EXPECTING[15:]])
async def test_response_instead_of_100_continue_closes(refusing: Connection, request_data: bytes) -> None:
    """The client may never send the body, and its next request would be taken for the body."""
    refusing.receive(request_data)
    await asyncio.sleep(0.1)

    assert refusing.transport.is_closing()
    assert refusing.transport.sent.count(b"HTTP/1.1 ") == 1


async def test_connection_survives_100_continue(connection: Connection) -> None:
    connection.reads_body = True
    connection.receive(EXPECTING)
    await asyncio.sleep(0.1)
    connection.receive(BODY + REQUEST)
    await asyncio.sleep(0.1)

    assert connection.responses == 2


async def test_limits_restart_with_each_request(connection: Connection) -> None:
    """Neither the framing of a body, nor bytes that were discarded, count against the next request."""
    connection.reads_body = True
    framing = b"1\r\nx\r\n" * (MAX_FRAMING // 5 - 9)
    for _ in range(3):
        connection.receive(CHUNKED + framing + b"0\r\n\r\n")
        await asyncio.sleep(1)
    connection.reads_body = False
    for _ in range(3):
        connection.receive(b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 50000\r\n\r\n")
        await asyncio.sleep(REST_TIMEOUT / 2)
        connection.receive(b"x" * 50_000)

    assert connection.responses == 6
    assert not connection.transport.is_closing()


async def test_shutdown_ends_parsing_after_response(connection: Connection) -> None:
    """The client learns from the last response that its further requests were not handled."""
    connection.seconds = 1
    connection.receive(REQUEST + REQUEST)
    await asyncio.sleep(0.5)
    connection.protocol.shutdown()
    await asyncio.sleep(5)

    assert (connection.responses, len(connection.scopes)) == (1, 1)


async def test_shutdown_closes_connection_with_rest_of_body(connection: Connection) -> None:
    connection.receive(REQUEST_WITH_BODY)
    await asyncio.sleep(0.1)
    connection.protocol.shutdown()

    assert connection.transport.closed_at == 0.1
