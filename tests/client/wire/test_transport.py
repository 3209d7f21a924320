"""Production transport over real sockets: framing, failures, connections and mapping of exceptions."""

import asyncio
import socket
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import httpx
import pytest

from gateway.client.transport import create_transport
from gateway.http1 import Resolver
from gateway.railway import BadAnswer, Err, NotFound, Ok, Result, TimedOut, Unavailable, UpstreamFault
from gateway.services.users import User, Users
from tests.http1 import raw_server
from tests.http1.raw_server import Handler, hang, respond_with
from tests.service_clients import service_client

Outcome: TypeAlias = Result[User, NotFound | UpstreamFault]

ADA = b'{"user_id": "ada", "email": "ada@example.com", "is_active": true}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(ADA), ADA)


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    transport = create_transport()
    yield transport
    await transport.aclose()


@asynccontextmanager
async def serve(handler: Handler) -> AsyncGenerator[str]:
    """Serve on loopback, with a call of *handler* for each connection, and yield the URL."""
    async with raw_server.serve(handler) as port:
        yield f"http://127.0.0.1:{port}"


async def answer_all(reader: StreamReader, writer: StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)


async def fetch_user(transport: httpx.AsyncBaseTransport, url: str, timeout: float = 5.0) -> Outcome:  # noqa: ASYNC109 - the client's timeout
    return await Users(service_client("users", url, transport, timeout=timeout)).fetch("ada")


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([ANSWER], id="whole"),
        pytest.param([ANSWER[:60], ANSWER[60:]], id="in two parts"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ADA), ADA)],
            id="chunked",
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", ADA], id="until close"),
    ],
)
async def test_response_is_read_in_any_framing(
    transport: httpx.AsyncBaseTransport, parts: list[bytes]
) -> None:
    async with serve(respond_with(*parts)) as url:
        result = await fetch_user(transport, url)

    assert result == Ok(User(user_id="ada", email="ada@example.com", is_active=True))


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        pytest.param([], Unavailable, id="empty"),
        pytest.param([ANSWER[:20]], Unavailable, id="half a head"),
        pytest.param([ANSWER[:-9]], Unavailable, id="half a body"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"], Unavailable, id="half a chunk"
        ),
        pytest.param([b"220 mail.example.com ESMTP\r\n\r\n"], BadAnswer, id="not HTTP"),
        pytest.param([b"HTTP/1.1 two hundred\r\n\r\n"], BadAnswer, id="invalid status"),
        pytest.param([b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"], BadAnswer, id="bad header"),
        pytest.param([b"HTTP/1.1 200 OK\r\nx: %b\r\n\r\n" % (b"y" * 99_999)], BadAnswer, id="huge header"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{"], BadAnswer, id="bad chunk"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"], BadAnswer, id="not JSON"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n"], BadAnswer, id="Content-Length too large"
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *[b" " * 65_536] * 17],
            BadAnswer,
            id="too large without Content-Length",
        ),
        pytest.param(
            [b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"], BadAnswer, id="redirect"
        ),
    ],
)
async def test_invalid_response_is_upstream_fault(
    transport: httpx.AsyncBaseTransport, parts: list[bytes], kind: type[UpstreamFault]
) -> None:
    async with serve(respond_with(*parts)) as url:
        result = await fetch_user(transport, url)

    assert isinstance(result, Err)
    assert type(result.error) is kind


async def test_refused_connection_is_unavailable(
    transport: httpx.AsyncBaseTransport,
) -> None:
    result = await fetch_user(transport, f"http://127.0.0.1:{find_free_port()}")

    assert result == Err(
        Unavailable("The users service is unavailable", source="users.fetch", was_sent=False)
    )


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(respond_with(), id="before the head"),
        pytest.param(respond_with(ANSWER[:20]), id="in the head"),
        pytest.param(respond_with(ANSWER[:-9]), id="in the body"),
    ],
)
async def test_hanging_service_times_out(transport: httpx.AsyncBaseTransport, handler: Handler) -> None:
    async def respond_then_hang(reader: StreamReader, writer: StreamWriter) -> None:
        await handler(reader, writer)
        await hang(reader, writer)

    async with serve(respond_then_hang) as url:
        result = await fetch_user(transport, url, timeout=0.05)

    assert result == Err(
        TimedOut("The users service did not answer in time", source="users.fetch", budget=0.05)
    )


async def test_busy_loop_does_not_time_out_answer_in_time(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """The loop is busy from before the answer until after the limit of the attempt."""
    loop, is_busy, has_answered = asyncio.get_running_loop(), threading.Event(), threading.Event()
    received = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                loop.call_soon_threadsafe(received.set)
                is_busy.wait()
                connection.sendall(ANSWER)
                has_answered.set()
                connection.recv(1)  # until the client closes the connection

        server = asyncio.create_task(asyncio.to_thread(answer_once))
        port: int = listener.getsockname()[1]
        call = asyncio.create_task(fetch_user(transport, f"http://127.0.0.1:{port}", timeout=1.0))
        await received.wait()
        is_busy.set()
        has_answered.wait()
        time.sleep(1.1)  # noqa: ASYNC251 - it makes the loop busy
        result = await call
        await transport.aclose()
        await server

    assert isinstance(result, Ok)


async def test_calls_reuse_connection(transport: httpx.AsyncBaseTransport) -> None:
    connections: list[StreamWriter] = []

    async def record_connection(reader: StreamReader, writer: StreamWriter) -> None:
        connections.append(writer)
        await answer_all(reader, writer)

    async with serve(record_connection) as url:
        results = [await fetch_user(transport, url) for _ in range(5)]

    assert all(isinstance(result, Ok) for result in results)
    assert len(connections) == 1


async def test_closed_idle_connection_is_replaced(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serve(respond_with(ANSWER)) as url:
        results = [await fetch_user(transport, url) for _ in range(5)]

    assert all(isinstance(result, Ok) for result in results)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_transport_does_not_resend_requests(transport: httpx.AsyncBaseTransport, method: str) -> None:
    """After a lost connection, only the retry policy may send a request again."""
    request_count = 0

    async def answer_first_request(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal request_count
        for answer in (ANSWER, b""):
            await reader.readuntil(b"\r\n\r\n")
            request_count += 1
            writer.write(answer)

    async with serve(answer_first_request) as url:
        await (await transport.handle_async_request(httpx.Request(method, url))).aread()
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.handle_async_request(httpx.Request(method, url))

    assert request_count == 2


async def test_cancelled_calls_release_connections(
    transport: httpx.AsyncBaseTransport,
) -> None:
    arrivals, departures = asyncio.Semaphore(0), asyncio.Semaphore(0)
    is_healthy = False

    async def hang_unless_healthy(reader: StreamReader, writer: StreamWriter) -> None:
        if is_healthy:
            await answer_all(reader, writer)
        arrivals.release()
        await hang(reader, writer)
        departures.release()

    async with serve(hang_unless_healthy) as url:
        calls = [asyncio.create_task(fetch_user(transport, url)) for _ in range(100)]
        for _ in calls:
            await arrivals.acquire()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        is_healthy = True
        result = await fetch_user(transport, url)
        for _ in calls:  # every connection was closed
            await departures.acquire()

    assert all(call.cancelled() for call in calls)
    assert isinstance(result, Ok)


async def test_hanging_calls_block_no_other_service(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """Hanging calls do not use up the connections to other services."""
    arrivals = asyncio.Semaphore(0)

    async def report_and_hang(reader: StreamReader, writer: StreamWriter) -> None:
        arrivals.release()
        await hang(reader, writer)

    async with serve(report_and_hang) as hanging_url, serve(answer_all) as healthy_url:
        calls = [asyncio.create_task(fetch_user(transport, hanging_url, timeout=60.0)) for _ in range(101)]
        for _ in calls[1:]:  # with a limit of 100 connections, only 100 calls arrive
            await arrivals.acquire()
        result = await fetch_user(transport, healthy_url, timeout=2.0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    assert isinstance(result, Ok)
    assert all(call.cancelled() for call in calls)


async def test_transport_sends_101_calls_at_once(
    transport: httpx.AsyncBaseTransport,
) -> None:
    """The number of connections has no limit of its own, such as httpx's 100."""
    barrier = asyncio.Barrier(101)

    async def answer_together(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await barrier.wait()
        writer.write(ANSWER)

    async with serve(answer_together) as url:
        results = await asyncio.gather(*(fetch_user(transport, url) for _ in range(101)))

    assert all(isinstance(result, Ok) for result in results)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # takes four seconds of real time
async def test_idle_connection_closes_within_5_s(
    transport: httpx.AsyncBaseTransport,
) -> None:
    was_closed = asyncio.Event()

    async def wait_for_close(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await reader.read()
        was_closed.set()

    async with serve(wait_for_close) as url:
        result = await fetch_user(transport, url)
        async with asyncio.timeout(5):  # uvicorn's keep-alive
            await was_closed.wait()

    assert isinstance(result, Ok)


async def test_large_upload_to_slow_service_arrives_whole(transport: httpx.AsyncBaseTransport) -> None:
    size = 20_000_000  # more than the kernel buffers
    received = 0

    async def read_late(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        received = len(await reader.readexactly(size))
        writer.write(ANSWER)

    async with serve(read_late) as url, asyncio.timeout(10):
        request = httpx.Request("POST", url, content=b"x" * size)
        answer = await transport.handle_async_request(request)

        assert await answer.aread() == ADA
    assert received == size


async def test_transport_stores_no_cookies(transport: httpx.AsyncBaseTransport) -> None:
    heads: list[bytes] = []

    async def set_cookie(reader: StreamReader, writer: StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ANSWER.replace(b"\r\n", b"\r\nset-cookie: a=b; path=/\r\n", 1))

    async with serve(set_cookie) as url:
        await fetch_user(transport, url.replace("127.0.0.1", "localhost"))
        await fetch_user(transport, url.replace("127.0.0.1", "localhost"))

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_transport_ignores_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{find_free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = create_transport()

    async with serve(answer_all) as url:
        result = await fetch_user(transport, url)
    await transport.aclose()

    assert isinstance(result, Ok)


async def test_failed_connect_resolves_host_again() -> None:
    """A call to a service that has moved to another address succeeds at its first retry."""
    addresses = iter((["127.0.0.2"], ["127.0.0.1"]))
    transport = create_transport(resolver=Resolver(10.0, lambda _: next(addresses)))

    async with serve(answer_all) as url:
        renamed_url = url.replace("127.0.0.1", "users.test")
        results = [await fetch_user(transport, renamed_url) for _ in range(2)]
    await transport.aclose()

    assert [type(result) for result in results] == [Ok, Ok]


async def test_transport_adds_no_headers_to_request(transport: httpx.AsyncBaseTransport) -> None:
    heads: list[bytes] = []

    async def record_head(reader: StreamReader, writer: StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)

    async with serve(record_head) as url:
        client = service_client("users", f"{url}/api", transport, timeout=1.0)
        await Users(client).fetch("a/b?c#d%2e%2F é+&=;:@")
    request_line, *lines = heads[0].decode("ascii").split("\r\n")
    names = {line.partition(":")[0].lower() for line in lines if line}

    assert request_line == "GET /api/users/a%2Fb%3Fc%23d%252e%252F%20%C3%A9%2B%26%3D%3B%3A%40 HTTP/1.1"
    assert names == {"host", "accept", "accept-encoding", "user-agent", "x-envoy-expected-rq-timeout-ms"}


async def test_compressed_response_is_bad_answer(transport: httpx.AsyncBaseTransport) -> None:
    async with serve(respond_with(ANSWER.replace(b"\r\n", b"\r\ncontent-encoding: gzip\r\n", 1))) as url:
        result = await fetch_user(transport, url)

    assert isinstance(result, Err)
    assert isinstance(result.error, BadAnswer)


async def test_ping_needs_response_below_500(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serve(respond_with(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")) as url:
        is_up = await service_client("users", url, transport, timeout=1.0).ping()
    is_closed_port_up = await service_client(
        "users", f"http://127.0.0.1:{find_free_port()}", transport, timeout=1.0
    ).ping()

    assert is_up
    assert not is_closed_port_up


async def test_unused_transport_can_be_closed() -> None:
    await create_transport().aclose()


def test_transport_is_created_without_event_loop() -> None:
    assert isinstance(create_transport(), httpx.AsyncBaseTransport)
