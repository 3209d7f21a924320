import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp
import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from gateway.client.transport import create_transport, map_aiohttp_exception
from gateway.railway import BadAnswer, Err, NotFound, Ok, Result, TimedOut, Unavailable, UpstreamFault
from gateway.services.users import User, Users
from tests.service_clients import service_client

Handler: TypeAlias = Callable[[StreamReader, StreamWriter], Awaitable[None]]
Outcome: TypeAlias = Result[User, NotFound | UpstreamFault]

ADA = b'{"user_id": "ada", "email": "ada@example.com", "is_active": true}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(ADA), ADA)


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    transport = create_transport()
    yield transport
    await transport.aclose()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[str]:
    """Serve on loopback, one call of *handler* for each connection, and give the address."""

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has hung up
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=512)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()


def sending(*parts: bytes) -> Handler:
    """Answer one request with *parts*, then hang up."""

    async def send(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return send


async def hang(reader: StreamReader, _: StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def answer_all(reader: StreamReader, writer: StreamWriter) -> None:
    while True:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)


async def fetched(transport: httpx.AsyncBaseTransport, url: str, timeout: float = 5.0) -> Outcome:  # noqa: ASYNC109 - that of the client
    return await Users(service_client("users", url, transport, timeout=timeout)).fetch("ada")


def free_port() -> int:
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
        pytest.param([b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", ADA], id="until the end"),
    ],
)
async def test_an_answer_is_read_however_it_is_framed(
    transport: httpx.AsyncBaseTransport, parts: list[bytes]
) -> None:
    async with serving(sending(*parts)) as url:
        fetch = await fetched(transport, url)

    assert fetch == Ok(User(user_id="ada", email="ada@example.com", is_active=True))


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        pytest.param([], Unavailable, id="nothing"),
        pytest.param([ANSWER[:20]], Unavailable, id="half a head"),
        pytest.param([ANSWER[:-9]], Unavailable, id="half a body"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{"], Unavailable, id="half a chunk"
        ),
        pytest.param([b"220 mail.example.com ESMTP\r\n\r\n"], BadAnswer, id="not HTTP"),
        pytest.param([b"HTTP/1.1 two hundred\r\n\r\n"], BadAnswer, id="no status"),
        pytest.param([b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"], BadAnswer, id="bad header"),
        pytest.param([b"HTTP/1.1 200 OK\r\nx: %b\r\n\r\n" % (b"y" * 99_999)], BadAnswer, id="huge header"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{"], BadAnswer, id="bad chunk"
        ),
        pytest.param([b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"], BadAnswer, id="not JSON"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\ncontent-length: 1048577\r\n\r\n"], BadAnswer, id="too long, says the head"
        ),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", *[b" " * 65_536] * 17],
            BadAnswer,
            id="too long, as it turns out",
        ),
        pytest.param(
            [b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"], BadAnswer, id="elsewhere"
        ),
    ],
)
async def test_an_answer_that_is_none_is_an_error(
    transport: httpx.AsyncBaseTransport, parts: list[bytes], kind: type[UpstreamFault]
) -> None:
    async with serving(sending(*parts)) as url:
        fetch = await fetched(transport, url)

    assert isinstance(fetch, Err)
    assert type(fetch.error) is kind


async def test_a_refused_connection_is_unavailable_and_nothing_was_sent(
    transport: httpx.AsyncBaseTransport,
) -> None:
    fetch = await fetched(transport, f"http://127.0.0.1:{free_port()}")

    assert fetch == Err(Unavailable("The users service is unavailable", source="users.fetch", was_sent=False))


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(sending(), id="before its answer"),
        pytest.param(sending(ANSWER[:20]), id="in its head"),
        pytest.param(sending(ANSWER[:-9]), id="in its body"),
    ],
)
async def test_a_service_that_hangs_times_out(transport: httpx.AsyncBaseTransport, handler: Handler) -> None:
    async def halting(reader: StreamReader, writer: StreamWriter) -> None:
        await handler(reader, writer)
        await hang(reader, writer)

    async with serving(halting) as url:
        fetch = await fetched(transport, url, timeout=0.05)

    assert fetch == Err(
        TimedOut("The users service did not answer in time", source="users.fetch", budget=0.05)
    )


async def test_one_connection_serves_many_calls(transport: httpx.AsyncBaseTransport) -> None:
    connections: list[StreamWriter] = []

    async def counting(reader: StreamReader, writer: StreamWriter) -> None:
        connections.append(writer)
        await answer_all(reader, writer)

    async with serving(counting) as url:
        results = [await fetched(transport, url) for _ in range(5)]

    assert all(isinstance(result, Ok) for result in results)
    assert len(connections) == 1


async def test_a_connection_that_the_service_closed_while_idle_does_no_harm(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serving(sending(ANSWER)) as url:
        results = [await fetched(transport, url) for _ in range(5)]

    assert all(isinstance(result, Ok) for result in results)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_whose_connection_is_lost_is_not_sent_again_behind_the_back_of_the_policies(
    transport: httpx.AsyncBaseTransport, method: str
) -> None:
    asked = 0

    async def answer_the_first(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal asked
        for answer in (ANSWER, b""):
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            writer.write(answer)

    async with serving(answer_the_first) as url:
        await (await transport.handle_async_request(httpx.Request(method, url))).aread()
        with pytest.raises(httpx.ReadError):
            await transport.handle_async_request(httpx.Request(method, url))

    assert asked == 2


async def test_after_a_hundred_cancelled_calls_a_healthy_service_is_still_reached(
    transport: httpx.AsyncBaseTransport,
) -> None:
    arrived, left = asyncio.Semaphore(0), asyncio.Semaphore(0)
    is_healthy = False

    async def moody(reader: StreamReader, writer: StreamWriter) -> None:
        if is_healthy:
            await answer_all(reader, writer)
        arrived.release()
        await hang(reader, writer)
        left.release()

    async with serving(moody) as url:
        calls = [asyncio.create_task(fetched(transport, url)) for _ in range(100)]
        for _ in calls:
            await arrived.acquire()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        is_healthy = True
        fetch = await fetched(transport, url)
        for _ in calls:  # every connection was closed
            await left.acquire()

    assert all(call.cancelled() for call in calls)
    assert isinstance(fetch, Ok)


async def test_a_hundred_calls_that_hang_keep_none_to_another_service_waiting(
    transport: httpx.AsyncBaseTransport,
) -> None:
    arrived = asyncio.Semaphore(0)

    async def hanging(reader: StreamReader, writer: StreamWriter) -> None:
        arrived.release()
        await hang(reader, writer)

    async with serving(hanging) as stuck, serving(answer_all) as healthy:
        calls = [asyncio.create_task(fetched(transport, stuck, timeout=60.0)) for _ in range(101)]
        for _ in calls[1:]:  # under a limit of a hundred in all, one never arrives
            await arrived.acquire()
        fetch = await fetched(transport, healthy, timeout=2.0)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    assert isinstance(fetch, Ok)
    assert all(call.cancelled() for call in calls)


async def test_more_than_a_hundred_calls_reach_one_service_at_once(
    transport: httpx.AsyncBaseTransport,
) -> None:
    everyone = asyncio.Barrier(101)

    async def together(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await everyone.wait()
        writer.write(ANSWER)

    async with serving(together) as url:
        results = await asyncio.gather(*(fetched(transport, url) for _ in range(101)))

    assert all(isinstance(result, Ok) for result in results)


@pytest.mark.asyncio(loop_factories=["asyncio"])  # it takes four seconds of real time
async def test_an_idle_connection_is_closed_before_its_service_would(
    transport: httpx.AsyncBaseTransport,
) -> None:
    was_closed = asyncio.Event()

    async def patient(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await reader.read()
        was_closed.set()

    async with serving(patient) as url:
        fetch = await fetched(transport, url)
        async with asyncio.timeout(5):  # which is uvicorn's keep-alive
            await was_closed.wait()

    assert isinstance(fetch, Ok)


async def test_large_body_waits_for_a_slow_reader(transport: httpx.AsyncBaseTransport) -> None:
    size = 20_000_000  # more than the kernel buffers
    sent = sent_before_reading = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < size:
            sent += 50_000
            yield b"x" * 50_000

    async def read_late(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent_before_reading
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        sent_before_reading = sent
        await reader.readexactly(size)
        writer.write(ANSWER)

    async with serving(read_late) as url, asyncio.timeout(10):
        headers = {"content-length": str(size)}
        request = httpx.Request("POST", url, content=chunks(), headers=headers)
        answer = await transport.handle_async_request(request)

        assert await answer.aread() == ADA
    assert sent_before_reading < size


async def test_no_cookie_comes_back(transport: httpx.AsyncBaseTransport) -> None:
    heads: list[bytes] = []

    async def baking(reader: StreamReader, writer: StreamWriter) -> None:
        for _ in range(2):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(ANSWER.replace(b"\r\n", b"\r\nset-cookie: a=b; path=/\r\n", 1))

    async with serving(baking) as url:
        await fetched(transport, url.replace("127.0.0.1", "localhost"))
        await fetched(transport, url.replace("127.0.0.1", "localhost"))

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_the_environments_proxies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    transport = create_transport()

    async with serving(answer_all) as url:
        fetch = await fetched(transport, url)
    await transport.aclose()

    assert isinstance(fetch, Ok)


class Moving(AbstractResolver):
    """Finds a service at one address after the other."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = iter(addresses)

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        where = next(self._addresses)
        return [{"hostname": host, "host": where, "port": port, "family": family, "proto": 0, "flags": 0}]

    @override
    async def close(self) -> None: ...


async def test_a_service_that_has_moved_is_found_by_the_call_that_its_old_address_fails() -> None:
    transport = create_transport(Moving("127.0.0.2", "127.0.0.1"))

    async with serving(answer_all) as url:
        named = url.replace("127.0.0.1", "users.test")
        fetches = [await fetched(transport, named) for _ in range(2)]
    await transport.aclose()

    assert [type(fetch) for fetch in fetches] == [Ok, Ok]


async def test_the_head_is_what_the_client_said_and_no_more(transport: httpx.AsyncBaseTransport) -> None:
    heads: list[bytes] = []

    async def noting(reader: StreamReader, writer: StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)

    async with serving(noting) as url:
        client = service_client("users", f"{url}/api", transport, timeout=1.0)
        await Users(client).fetch("a/b?c#d%2e%2F é+&=;:@")
    request_line, *lines = heads[0].decode("ascii").split("\r\n")
    names = {line.partition(":")[0].lower() for line in lines if line}

    # aiohttp's URLs decode what a segment may hold as it is; nothing of that can end the segment.
    assert request_line == "GET /api/users/a%2Fb%3Fc%23d%252e%252F%20%C3%A9%2B&=;:@ HTTP/1.1"
    assert names == {"host", "accept", "accept-encoding", "user-agent", "x-envoy-expected-rq-timeout-ms"}


async def test_a_compressed_answer_is_not_decompressed(transport: httpx.AsyncBaseTransport) -> None:
    async with serving(sending(ANSWER.replace(b"\r\n", b"\r\ncontent-encoding: gzip\r\n", 1))) as url:
        fetch = await fetched(transport, url)

    assert isinstance(fetch, Err)
    assert isinstance(fetch.error, BadAnswer)


async def test_a_service_that_answers_anything_below_500_is_there(
    transport: httpx.AsyncBaseTransport,
) -> None:
    async with serving(sending(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")) as url:
        is_there = await service_client("users", url, transport, timeout=1.0).ping()
    is_gone = await service_client("users", f"http://127.0.0.1:{free_port()}", transport, timeout=1.0).ping()

    assert is_there
    assert not is_gone


async def test_a_transport_that_was_never_used_closes() -> None:
    await create_transport().aclose()


def test_a_transport_is_made_without_a_loop() -> None:
    assert isinstance(create_transport(), httpx.AsyncBaseTransport)


def bare(kind: type[aiohttp.ClientError]) -> aiohttp.ClientError:
    """Give an exception of *kind* without the arguments that it wants, which are no two alike."""
    error: aiohttp.ClientError = type(
        "Bare", (kind,), {"__init__": object.__init__, "__str__": object.__repr__}
    )()
    return error


def family(kind: type[aiohttp.ClientError]) -> Iterator[type[aiohttp.ClientError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize("kind", sorted(set(family(aiohttp.ClientError)), key=str))
def test_every_exception_of_aiohttp_is_one_of_httpx(kind: type[aiohttp.ClientError]) -> None:
    assert isinstance(map_aiohttp_exception(bare(kind)), httpx.RequestError)


@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        (aiohttp.ClientConnectorDNSError, httpx.ConnectError),
        (aiohttp.ClientConnectorCertificateError, httpx.ConnectError),
        (aiohttp.ClientOSError, httpx.ReadError),
        (aiohttp.ServerDisconnectedError, httpx.ReadError),
        (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
        (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
        (aiohttp.ClientHttpProxyError, httpx.ProxyError),
        (aiohttp.ContentTypeError, httpx.DecodingError),
    ],
)
def test_an_exception_of_aiohttp_means_what_its_name_says(
    kind: type[aiohttp.ClientError], meaning: type[httpx.RequestError]
) -> None:
    assert type(map_aiohttp_exception(bare(kind))) is meaning


def test_what_httpx_aiohttp_made_of_an_exception_is_judged_again() -> None:
    taken_wrongly = httpx.ConnectTimeout("")
    taken_wrongly.__cause__ = aiohttp.ServerDisconnectedError()

    assert type(map_aiohttp_exception(taken_wrongly)) is httpx.ReadError


def test_an_exception_of_httpx_itself_stays_what_it_is() -> None:
    assert type(map_aiohttp_exception(httpx.UnsupportedProtocol(""))) is httpx.UnsupportedProtocol
