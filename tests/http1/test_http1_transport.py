"""The transport over real sockets: connections, pools, timeouts, TLS and event loops."""

import asyncio
import errno
import os
import resource
import socket
import ssl
import struct
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvloop

from gateway.http1 import Http1Transport, Resolver, TransportTerms
from gateway.http1.dialer import Dialer
from gateway.http1.pool import Pool
from tests.http1.raw_server import OK, answer_all, hang, respond_with, serve

CERTIFICATE = Path(__file__).with_name("certificate.pem")
"""Certificate and key for users.test."""


class CountingServer:
    """Server that answers all requests, and counts its connections."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.is_unused = asyncio.Event()

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.opened += 1
        try:
            await answer_all(reader, writer)
        finally:
            self.closed += 1
            if self.closed == self.opened:
                self.is_unused.set()


def resolve_to(*addresses: str) -> Resolver:
    return Resolver(60.0, lambda _: addresses)


async def fetch(
    transport: httpx.AsyncBaseTransport, port: int, *, url: str = "http://127.0.0.1:{}/", **timeouts: float
) -> httpx.Response:
    request = httpx.Request("GET", url.format(port), extensions={"timeout": timeouts})
    response = await transport.handle_async_request(request)
    await response.aread()
    return response


async def test_response_is_httpx_response() -> None:
    async with serve(respond_with(OK)) as port, Http1Transport() as transport:
        response = await fetch(transport, port)

    assert (response.status_code, response.content, response.json()) == (200, b"{}", {})
    assert response.headers == {"content-length": "2"}
    assert response.extensions == {"http_version": b"HTTP/1.1", "reason_phrase": b"OK"}
    assert response.reason_phrase == "OK"


async def test_version_of_response_is_that_of_the_server() -> None:
    old = OK.replace(b"HTTP/1.1", b"HTTP/1.0")
    async with serve(respond_with(old)) as port, Http1Transport() as transport:
        response = await fetch(transport, port)

    assert response.http_version == "HTTP/1.0"


async def test_transport_serves_httpx_client() -> None:
    async with serve(answer_all) as port, httpx.AsyncClient(transport=Http1Transport()) as client:
        response = await client.post(f"http://127.0.0.1:{port}/a", json={"a": 1}, timeout=2)

    assert response.json() == {}


@pytest.mark.parametrize("url", ["ftp://users.test/", "http:///users", "unix:///socket"])
async def test_other_url_is_refused(url: str) -> None:
    async with Http1Transport() as transport:
        with pytest.raises(httpx.UnsupportedProtocol):
            await transport.handle_async_request(httpx.Request("GET", url))


async def test_last_used_connection_is_reused_first() -> None:
    server = CountingServer()
    async with serve(server.answer) as port, Http1Transport() as transport:
        await asyncio.gather(*(fetch(transport, port) for _ in range(5)))
        for _ in range(20):
            await fetch(transport, port)

    assert server.opened == 5


async def test_old_connection_is_replaced_under_load() -> None:
    server = CountingServer()
    terms = TransportTerms(max_age=0.1, age_jitter=0.5)
    async with serve(server.answer) as port, Http1Transport(terms=terms) as transport:
        for _ in range(30):
            await fetch(transport, port)
            await asyncio.sleep(0.01)

    assert server.opened >= 3


async def test_old_connection_is_not_handed_to_waiting_request() -> None:
    opened = 0

    async def answer_late(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.01)
            writer.write(OK)

    terms = TransportTerms(max_connections=1, max_age=0.05, age_jitter=0.0)
    async with serve(answer_late) as port, Http1Transport(terms=terms) as transport:
        await asyncio.gather(*(fetch(transport, port) for _ in range(20)))

    assert opened >= 2


async def test_idle_connections_are_closed() -> None:
    server = CountingServer()
    terms = TransportTerms(keep_alive=0.05)
    async with serve(server.answer) as port, Http1Transport(terms=terms) as transport:
        await asyncio.gather(*(fetch(transport, port) for _ in range(3)))
        async with asyncio.timeout(10):
            await server.is_unused.wait()

    assert (server.opened, server.closed) == (3, 3)


async def test_used_connections_survive_the_sweep() -> None:
    server = CountingServer()
    async with serve(server.answer) as port, Http1Transport() as transport:
        await asyncio.gather(*(fetch(transport, port) for _ in range(2)))
        await asyncio.sleep(1.2)
        await fetch(transport, port)

    assert server.opened == 2


async def test_limited_pool_serves_requests_in_order() -> None:
    server = CountingServer()
    order: list[int] = []

    async def fetch_numbered(transport: Http1Transport, port: int, number: int) -> None:
        await fetch(transport, port)
        order.append(number)

    terms = TransportTerms(max_connections=2)
    async with serve(server.answer) as port, Http1Transport(terms=terms) as transport:
        await asyncio.gather(*(fetch_numbered(transport, port, number) for number in range(20)))

    assert server.opened == 2
    assert order[2:] == sorted(order[2:])


async def test_full_pool_times_out() -> None:
    terms = TransportTerms(max_connections=1)
    async with serve(hang) as port, Http1Transport(terms=terms) as transport:
        holding = asyncio.create_task(fetch(transport, port))
        await asyncio.sleep(0.02)
        with pytest.raises(httpx.PoolTimeout):
            await fetch(transport, port, pool=0.02)
        holding.cancel()


async def test_lost_connection_makes_room_in_full_pool() -> None:
    terms = TransportTerms(max_connections=1)
    async with serve(respond_with(OK)) as port, Http1Transport(terms=terms) as transport:
        responses = await asyncio.gather(*(fetch(transport, port, pool=2.0) for _ in range(5)))

    assert [response.status_code for response in responses] == [200] * 5


async def test_failed_connect_makes_room_in_full_pool() -> None:
    async with serve(answer_all) as port:
        pass
    terms = TransportTerms(max_connections=1)
    async with Http1Transport(terms=terms) as transport:
        results = await asyncio.gather(
            *(fetch(transport, port, pool=2.0) for _ in range(5)), return_exceptions=True
        )

    assert [type(result) for result in results] == [httpx.ConnectError] * 5


async def test_cancelled_waiting_requests_leave_the_pool_whole() -> None:
    server = CountingServer()
    terms = TransportTerms(max_connections=2)
    async with serve(server.answer) as port, Http1Transport(terms=terms) as transport:
        for delay in range(40):
            tasks = [asyncio.create_task(fetch(transport, port)) for _ in range(6)]
            await asyncio.sleep(delay / 20_000)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(2):
            responses = await asyncio.gather(*(fetch(transport, port) for _ in range(10)))

    assert [response.status_code for response in responses] == [200] * 10


async def test_connection_that_comes_with_a_timeout_is_not_lost() -> None:
    """A waiting request can time out in the turn in which it gets a connection."""
    terms = TransportTerms(max_connections=1)

    async def answer_late(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.02)
            writer.write(OK)

    async with serve(answer_late) as port, Http1Transport(terms=terms) as transport:
        for pause in range(30):
            first = asyncio.create_task(fetch(transport, port))
            await asyncio.sleep(0)
            await asyncio.gather(
                fetch(transport, port, pool=0.02 + (pause - 15) / 10_000), return_exceptions=True
            )
            await first
        async with asyncio.timeout(1):
            response = await fetch(transport, port)

    assert response.status_code == 200


async def test_silence_is_a_read_timeout() -> None:
    async with serve(hang) as port, Http1Transport() as transport:
        with pytest.raises(httpx.ReadTimeout, match=r"no data in 0\.02 s"):
            await fetch(transport, port, read=0.02, write=0.02)


async def test_slow_response_is_no_read_timeout() -> None:
    async def drip(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in OK:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.03)

    async with serve(drip) as port, Http1Transport() as transport:
        response = await fetch(transport, port, read=1.0)

    assert response.content == b"{}"


async def test_service_that_reads_nothing_is_a_write_timeout() -> None:
    async def read_nothing(_: StreamReader, writer: StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    async with serve(read_nothing) as port, Http1Transport() as transport:
        timeouts = {"timeout": {"write": 0.1, "read": 5.0}}
        request = httpx.Request(
            "POST", f"http://127.0.0.1:{port}/", content=b"x" * 30_000_000, extensions=timeouts
        )
        with pytest.raises(httpx.WriteTimeout):
            await transport.handle_async_request(request)


async def test_slow_reader_is_no_write_timeout() -> None:
    async def read_slowly(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(20):
            await reader.readexactly(500_000)
            await asyncio.sleep(0.06)
        writer.write(OK)

    async with serve(read_slowly) as port, Http1Transport() as transport:
        timeouts = {"timeout": {"write": 1.0, "read": 2.0}}
        request = httpx.Request(
            "POST", f"http://127.0.0.1:{port}/", content=b"x" * 10_000_000, extensions=timeouts
        )
        response = await transport.handle_async_request(request)

    assert response.status_code == 200


async def test_busy_loop_does_not_time_out_accepted_connection() -> None:
    """The loop is busy from before it can learn of the connection until after the timeout."""
    async with serve(respond_with(OK)) as port, Http1Transport() as transport:
        call = asyncio.create_task(fetch(transport, port, connect=0.05))
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - it makes the loop busy
        response = await call

    assert response.status_code == 200


async def test_slow_name_server_is_a_connect_timeout() -> None:
    has_ended = threading.Event()

    def wait(_: str) -> Sequence[str]:
        has_ended.wait(5)
        return ["127.0.0.1"]

    async with Http1Transport(resolver=Resolver(60.0, wait)) as transport:
        with pytest.raises(httpx.ConnectTimeout, match=r"no connection within 0\.05 s"):
            await fetch(transport, 80, url="http://users.test:{}/", connect=0.05)
    has_ended.set()


async def test_reset_connection_is_a_read_error() -> None:
    async def reset(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serve(reset) as port, Http1Transport() as transport:
        with pytest.raises(httpx.ReadError) as raised:
            await fetch(transport, port)

    assert isinstance(raised.value.__cause__, ConnectionResetError)


async def test_write_timeout_alone_limits_no_silence() -> None:
    async def answer_late(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(OK)

    async with serve(answer_late) as port, Http1Transport() as transport:
        response = await fetch(transport, port, write=0.01)

    assert response.status_code == 200


async def test_cancelled_request_passes_on_the_permission_to_connect() -> None:
    """The request is cancelled in the turn in which another request has made room for it."""
    terms = TransportTerms(max_connections=1)
    async with serve(answer_all) as port:
        pool = Pool(Dialer("127.0.0.1", port, None, resolve_to(), terms), terms)
        connection = await pool.acquire(connect=None, pool=None)
        waiting = asyncio.create_task(pool.acquire(connect=None, pool=None))
        await asyncio.sleep(0)
        connection.abort()
        pool.release(connection)
        waiting.cancel()
        await asyncio.wait([waiting])
        async with asyncio.timeout(1):
            await pool.acquire(connect=None, pool=None)
        await pool.aclose()

    assert waiting.cancelled()


async def test_cancelled_request_passes_on_its_connection() -> None:
    """The request is cancelled in the turn in which another request has released the connection to it."""
    terms = TransportTerms(max_connections=1)
    async with serve(answer_all) as port:
        pool = Pool(Dialer("127.0.0.1", port, None, resolve_to(), terms), terms)
        connection = await pool.acquire(connect=None, pool=None)
        waiting = asyncio.create_task(pool.acquire(connect=None, pool=None))
        await asyncio.sleep(0)
        pool.release(connection)
        waiting.cancel()
        await asyncio.wait([waiting])
        is_idle = pool.take() is connection
        await pool.aclose()

    assert waiting.cancelled()
    assert is_idle


async def test_connection_lost_before_its_turn_is_replaced() -> None:
    """A connection can be lost between the turn in which it is handed over and the turn of the request."""
    terms = TransportTerms(max_connections=1)
    async with serve(answer_all) as port:
        pool = Pool(Dialer("127.0.0.1", port, None, resolve_to(), terms), terms)
        connection = await pool.acquire(connect=None, pool=None)
        waiting = asyncio.create_task(pool.acquire(connect=None, pool=None))
        await asyncio.sleep(0)
        pool.release(connection)
        connection.abort()
        other = await waiting
        is_usable = other.is_usable
        await pool.aclose()

    assert other is not connection
    assert is_usable


async def test_closed_pool_keeps_no_connection() -> None:
    """A request may be connecting, or waiting for a response, while the pool is closed."""
    async with serve(answer_all) as port:
        dialer = Dialer("127.0.0.1", port, None, resolve_to(), TransportTerms())
        pool = Pool(dialer, TransportTerms())
        connection = await pool.acquire(connect=None, pool=None)
        connecting = asyncio.create_task(pool.acquire(connect=None, pool=None))
        await asyncio.sleep(0)
        await pool.aclose()
        pool.release(connection)
        with pytest.raises(httpx.ConnectError, match="is being closed"):
            await connecting

    assert not connection.is_open


async def test_early_response_closes_connection() -> None:
    """The rest of the request is still to be sent, so that the server might take the next one for it."""
    opened = 0

    async def answer_head(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.1)  # without reading the body

    async with serve(answer_head) as port, Http1Transport() as transport:
        url = f"http://127.0.0.1:{port}/"
        request = httpx.Request("POST", url, content=b"x" * 30_000_000)
        first = await transport.handle_async_request(request)
        second = await fetch(transport, port, read=2.0)

    assert (first.status_code, second.status_code, opened) == (200, 200, 2)


async def test_unanswered_close_alert_ends_with_patience() -> None:
    has_answered, has_closed, has_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ignore_close(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        has_answered.set()
        await has_closed.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        await reader.read()
        has_ended.set()

    async with serve(ignore_close, create_server_context()) as port:
        pool = Pool(
            Dialer("users.test", port, trust(CERTIFICATE), resolve_to("127.0.0.1"), TransportTerms()),
            TransportTerms(),
        )
        connection = await pool.acquire(connect=None, pool=None)
        await connection.exchange(b"GET / HTTP/1.1\r\n\r\n", "GET", 1000, read=None, write=None)
        pool.release(connection)
        await has_answered.wait()
        await pool.aclose()
        is_closed = connection.closed.done()
        has_closed.set()
        await has_ended.wait()

    assert is_closed


async def test_every_address_is_tried() -> None:
    async with serve(answer_all) as port:
        resolver = resolve_to("127.0.0.2", "127.0.0.3", "127.0.0.1")
        async with Http1Transport(resolver=resolver) as transport:
            response = await fetch(transport, port, url="http://users.test:{}/", connect=2.0)

    assert response.status_code == 200


async def test_failure_of_every_address_is_a_connect_error() -> None:
    async with serve(answer_all) as port:
        pass
    async with Http1Transport(resolver=resolve_to("127.0.0.1", "127.0.0.2")) as transport:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, port, url="http://users.test:{}/")


async def fetch_often(transport: Http1Transport, port: int) -> None:
    for _ in range(100):
        await fetch(transport, port, url="http://users.test:{}/")
        await asyncio.sleep(0.01)


async def test_moved_name_is_found_under_load() -> None:
    """Connections have an age, so that all of them go to the new address in the end."""
    addresses = ["127.0.0.1"]
    terms = TransportTerms(max_age=0.1, address_ttl=0.01)
    resolver = Resolver(terms.address_ttl, lambda _: [*addresses])
    async with serve(answer_all) as port, Http1Transport(terms=terms, resolver=resolver) as transport:
        await fetch(transport, port, url="http://users.test:{}/")
        addresses[:] = ["127.0.0.9"]  # refuses connections
        with pytest.raises(httpx.ConnectError):
            await fetch_often(transport, port)


def trust(path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)


def create_server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


async def test_trusted_certificate_is_accepted() -> None:
    server = CountingServer()
    async with serve(server.answer, create_server_context()) as port:
        transport = Http1Transport(tls=trust(CERTIFICATE), resolver=resolve_to("127.0.0.1"))
        async with transport:
            responses = [await fetch(transport, port, url="https://users.test:{}/") for _ in range(3)]

    assert [response.status_code for response in responses] == [200] * 3
    assert server.opened == 1


@pytest.mark.parametrize("has_alert", [True, False], ids=["close alert", "TCP only"])
async def test_end_of_tcp_is_no_end_of_body_over_tls(*, has_alert: bool) -> None:
    """A body without a length ends with the close alert of TLS (RFC 9112, 9.8)."""

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
        await writer.drain()
        if not has_alert:
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as connection:
                connection.shutdown(socket.SHUT_WR)
            await reader.read()

    transport = Http1Transport(tls=trust(CERTIFICATE), resolver=resolve_to("127.0.0.1"))
    async with serve(answer, create_server_context()) as port, transport:
        pending = fetch(transport, port, url="https://users.test:{}/")
        if has_alert:
            assert (await pending).content == b"{}"
        else:
            with pytest.raises(httpx.RemoteProtocolError):
                await pending


async def test_closing_cuts_body_without_length() -> None:
    has_arrived = asyncio.Event()

    async def answer_without_end(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n{")
        has_arrived.set()
        await reader.read()

    async with serve(answer_without_end) as port:
        transport = Http1Transport()
        pending = asyncio.create_task(fetch(transport, port))
        await has_arrived.wait()
        await asyncio.sleep(0.02)
        await transport.aclose()
        with pytest.raises(httpx.TransportError):
            await pending


@pytest.mark.parametrize(
    ("tls", "host"), [(None, "users.test"), (trust(CERTIFICATE), "other.test")], ids=["unknown", "other name"]
)
async def test_other_certificate_is_a_connect_error(tls: ssl.SSLContext | None, host: str) -> None:
    transport = Http1Transport(tls=tls, resolver=resolve_to("127.0.0.1"))
    async with serve(answer_all, create_server_context()) as port, transport:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await fetch(transport, port, url=f"https://{host}:{{}}/")


async def test_plain_server_is_a_connect_error_for_https() -> None:
    async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    transport = Http1Transport(resolver=resolve_to("127.0.0.1"))
    async with serve(refuse) as port, transport:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, port, url="https://users.test:{}/", connect=2.0)


@pytest.mark.parametrize(
    ("rest", "kind"),
    [(b'{"a":', httpx.RemoteProtocolError), (b"x" * 2_000_000, httpx.DecodingError)],
    ids=["cut off", "too long"],
)
async def test_failure_after_head_is_raised_by_body(rest: bytes, kind: type[Exception]) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with (
        serve(respond_with(head, b"%x\r\n%b\r\n" % (len(rest), rest))) as port,
        Http1Transport() as transport,
    ):
        response = await transport.handle_async_request(httpx.Request("GET", f"http://127.0.0.1:{port}/"))
        with pytest.raises(kind):
            await response.aread()

    assert response.status_code == 200


@pytest.mark.parametrize(("limit", "fits"), [(2, True), (1, False)])
async def test_request_has_its_own_limit(limit: int, *, fits: bool) -> None:
    async with serve(answer_all) as port, Http1Transport() as transport:
        request = httpx.Request("GET", f"http://127.0.0.1:{port}/", extensions={"max_body": limit})
        response = await transport.handle_async_request(request)
        if fits:
            assert await response.aread() == b"{}"
        else:
            with pytest.raises(httpx.DecodingError, match="a body of more than 1 bytes"):
                await response.aread()


async def test_closed_transport_can_be_used_again() -> None:
    server = CountingServer()
    async with serve(server.answer) as port:
        transport = Http1Transport()
        for _ in range(2):
            await fetch(transport, port)
            await transport.aclose()
        await asyncio.sleep(0.02)

    assert (server.opened, server.closed) == (2, 2)


@pytest.mark.parametrize("most", [None, 2])
async def test_closing_ends_requests_in_flight(most: int | None) -> None:
    async with serve(hang) as port:
        transport = Http1Transport(terms=TransportTerms(max_connections=most))
        pending = [asyncio.create_task(fetch(transport, port)) for _ in range(5)]
        await asyncio.sleep(0.01)
        pending.pop().cancel()
        await asyncio.sleep(0.02)
        await transport.aclose()
        results = await asyncio.gather(*pending, return_exceptions=True)

    assert all(isinstance(result, httpx.TransportError) for result in results)


def test_transport_is_usable_in_several_loops() -> None:
    transport = Http1Transport()

    async def run() -> int:
        async with serve(answer_all) as port:
            return (await fetch(transport, port)).status_code

    assert [asyncio.run(run()) for _ in range(3)] == [200, 200, 200]
    asyncio.run(transport.aclose())


async def exchange(
    transport: Http1Transport, listener: socket.socket, connection: socket.socket | None = None
) -> socket.socket:
    """Fetch a response over *connection*, by default over a new one; return the server's side of it."""
    pending = asyncio.create_task(fetch(transport, listener.getsockname()[1]))
    server = connection or (await asyncio.to_thread(listener.accept))[0]
    server.settimeout(5)
    assert (await asyncio.to_thread(server.recv, 1000)).startswith(b"GET / ")
    server.sendall(OK)
    await pending
    return server


def test_loops_keep_their_connections() -> None:
    transport = Http1Transport()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        asyncio.Runner() as first,
        asyncio.Runner() as second,
        first.run(exchange(transport, listener)) as connection,
        second.run(exchange(transport, listener)) as other,
    ):
        again = first.run(exchange(transport, listener, connection))
        other_again = second.run(exchange(transport, listener, other))

    assert (again, other_again) == (connection, other)


@pytest.mark.parametrize("create_loop", [asyncio.SelectorEventLoop, uvloop.Loop])
def test_end_of_loop_closes_connections(create_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with asyncio.Runner(loop_factory=create_loop) as runner:
            connection = runner.run(exchange(Http1Transport(), listener))
        with connection:
            assert connection.recv(1) == b""


@contextmanager
def no_descriptor_left() -> Generator[None]:
    """Let the process open no file; files that it closes make room for others."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    first_free = os.dup(0)
    os.close(first_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_idle_connections_make_room_for_new_ones() -> None:
    """A service can be called although idle connections to others take all file descriptors."""
    async with (
        serve(answer_all) as first,
        serve(answer_all) as second,
        serve(answer_all) as third,
        Http1Transport() as transport,
    ):
        await fetch(transport, first)
        await fetch(transport, second)
        with no_descriptor_left():
            response = await fetch(transport, third)

    assert response.status_code == 200


async def test_call_without_descriptors_fails() -> None:
    async with serve(answer_all) as port, Http1Transport() as transport:
        with no_descriptor_left(), pytest.raises(httpx.ConnectError) as raised:
            await fetch(transport, port)

    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.EMFILE
