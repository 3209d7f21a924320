"""Surplus responses on pooled connections, which must reach no other request."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import httpx
import pytest
from typing_extensions import override

from gateway.client.transport import create_transport
from tests.client.wire.raw_service import RawService, build_response, echo_path
from tests.integration.in_process import InProcessServices, run_gateway

SURPLUS: Final = build_response(b"surplus")
UNAUTHORIZED: Final = build_response(b"", b"401 Unauthorized")
LONG: Final = b"x" * 300_000

unsolicited = pytest.mark.parametrize(
    "data",
    [
        pytest.param(SURPLUS, id="response"),
        pytest.param(SURPLUS * 1000, id="many responses"),
        pytest.param(SURPLUS[:20], id="half a head"),
        pytest.param(SURPLUS[:-3], id="half a body"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="interim response"),
        pytest.param(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n", id="timeout"),
        pytest.param(b"}\x00\xff", id="garbage"),
        pytest.param(b"\r\n", id="empty line"),
    ],
)


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    transport = create_transport()
    yield transport
    await transport.aclose()


@pytest.fixture
async def service() -> AsyncIterator[RawService]:
    async with RawService(echo_path).listen() as service:
        yield service


async def fetch(transport: httpx.AsyncBaseTransport, url: str, method: str = "GET") -> str:
    async with asyncio.timeout(2):
        answer = await transport.handle_async_request(httpx.Request(method, url))
        return (await answer.aread()).decode()


@pytest.mark.parametrize("delay", [0, 0.001, 0.02, 0.5])
async def test_surplus_response_reaches_no_caller(
    transport: httpx.AsyncBaseTransport, service: RawService, delay: float
) -> None:
    first = await fetch(transport, f"{service.url}/first")
    await asyncio.sleep(delay)
    service.connections[0].send(SURPLUS)
    second, third = [await fetch(transport, f"{service.url}/{name}") for name in ("second", "third")]

    assert (first, second, third) == ("/first", "/second", "/third")
    assert len(service.connections) == 2


@pytest.mark.parametrize("delay", [0.001, 0.02, 0.5])
async def test_delayed_surplus_reaches_no_caller(
    transport: httpx.AsyncBaseTransport, service: RawService, delay: float
) -> None:
    first = await fetch(transport, f"{service.url}/first")
    asyncio.get_running_loop().call_later(delay, service.connections[0].send, SURPLUS)
    await service.connections[0].wait_closed()
    second = await fetch(transport, f"{service.url}/second")

    assert (first, second) == ("/first", "/second")


@unsolicited
async def test_data_closes_idle_connection(
    transport: httpx.AsyncBaseTransport, service: RawService, data: bytes
) -> None:
    await fetch(transport, f"{service.url}/first")
    service.connections[0].send(data)
    await service.connections[0].wait_closed()

    assert await fetch(transport, f"{service.url}/second") == "/second"
    assert len(service.connections) == 2


@unsolicited
async def test_connection_with_unread_data_is_not_reused(
    transport: httpx.AsyncBaseTransport, service: RawService, data: bytes
) -> None:
    await fetch(transport, f"{service.url}/first")
    service.connections[0].send(data)  # the client reads nothing before its next request

    assert await fetch(transport, f"{service.url}/second") == "/second"
    assert len(service.connections) == 2


async def test_split_surplus_head_reaches_no_caller(
    transport: httpx.AsyncBaseTransport, service: RawService
) -> None:
    await fetch(transport, f"{service.url}/first")
    service.connections[0].send(SURPLUS[:20])
    second = asyncio.create_task(fetch(transport, f"{service.url}/second"))
    await asyncio.sleep(0)
    service.connections[0].send(SURPLUS[20:])

    assert await second == "/second"


async def test_every_connection_with_surplus_is_closed(
    transport: httpx.AsyncBaseTransport, service: RawService
) -> None:
    await asyncio.gather(*(fetch(transport, f"{service.url}/{n}") for n in range(5)))
    for connection in service.connections:
        connection.send(SURPLUS)
    last = await fetch(transport, f"{service.url}/last")
    for connection in service.connections[:5]:
        await connection.wait_closed()

    assert last == "/last"
    assert len(service.connections) == 6


@pytest.mark.parametrize(
    "surplus",
    [
        pytest.param(SURPLUS, id="response"),
        pytest.param(SURPLUS[:20], id="half a head"),
        pytest.param(SURPLUS[:-3], id="half a body"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="interim response"),
    ],
)
async def test_surplus_in_same_segment_is_dropped(
    transport: httpx.AsyncBaseTransport, surplus: bytes
) -> None:
    def answer(head: bytes) -> bytes:
        return echo_path(head) + (surplus if b"/first" in head else b"")

    async with RawService(answer).listen() as service:
        first, second = [await fetch(transport, f"{service.url}/{name}") for name in ("first", "second")]

    assert (first, second) == ("/first", "/second")


async def test_surplus_after_long_body_is_dropped(transport: httpx.AsyncBaseTransport) -> None:
    def answer(head: bytes) -> bytes:
        return build_response(LONG)[:-3] if b"/first" in head else echo_path(head)

    async with RawService(answer).listen() as service:
        first = asyncio.create_task(fetch(transport, f"{service.url}/first"))
        await service.has_answered.wait()
        service.connections[0].send(LONG[-3:] + SURPLUS)
        bodies = await first, await fetch(transport, f"{service.url}/second")

    assert bodies == (LONG.decode(), "/second")


@pytest.mark.parametrize(
    ("method", "bodiless"),
    [
        pytest.param("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", id="HEAD"),
        pytest.param("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", id="304"),
    ],
)
async def test_body_of_bodiless_response_is_dropped(
    transport: httpx.AsyncBaseTransport, method: str, bodiless: bytes
) -> None:
    def answer(head: bytes) -> bytes:
        return bodiless if b"/first" in head else echo_path(head)

    async with RawService(answer).listen() as service:
        first = await fetch(transport, f"{service.url}/first", method)
        service.connections[0].send(SURPLUS)
        second = await fetch(transport, f"{service.url}/second")

    assert (first, second) == ("", "/second")
    assert len(service.connections) == 2


@pytest.mark.parametrize("is_late", [False, True], ids=["before the real response", "long before it"])
async def test_surplus_during_request_reaches_one_caller(
    transport: httpx.AsyncBaseTransport, *, is_late: bool
) -> None:
    """A surplus response that arrives during a request is returned for that request, but not for the next."""

    def answer(head: bytes) -> bytes:
        if b"/second" not in head:
            return echo_path(head)
        return SURPLUS if is_late else SURPLUS + echo_path(head)

    async with RawService(answer).listen() as service:
        await fetch(transport, f"{service.url}/first")
        second = await fetch(transport, f"{service.url}/second")
        if is_late:
            service.connections[0].send(build_response(b"/second"))
        third = await fetch(transport, f"{service.url}/third")

    assert (second, third) == ("surplus", "/third")
    assert len(service.connections) == 2


async def accept(listener: socket.socket) -> socket.socket:
    """Accept a connection as soon as the kernel has it, before the client's event loop notices."""
    listener.settimeout(0)
    async with asyncio.timeout(2):
        while True:
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                return listener.accept()[0]


@pytest.mark.parametrize("early", [SURPLUS, SURPLUS[:20], b""], ids=["response", "half a head", "close"])
async def test_data_before_first_request_is_refused(
    transport: httpx.AsyncBaseTransport, early: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        pending = asyncio.create_task(fetch(transport, f"http://127.0.0.1:{listener.getsockname()[1]}"))
        with await accept(listener) as connection:
            connection.sendall(early)
            connection.shutdown(socket.SHUT_WR)
            with pytest.raises(httpx.ConnectError, match="before the request"):
                await pending


class NetworkedAuth(InProcessServices):
    """Mock services in this process, except the auth service, which is on a real socket."""

    def __init__(self, url: str, network: httpx.AsyncBaseTransport) -> None:
        super().__init__()
        self._auth_port = httpx.URL(url).port
        self._network = network

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.port == self._auth_port:
            return await self._network.handle_async_request(request)
        return await super().handle_async_request(request)


def authenticate(head: bytes) -> bytes:
    if b"Bearer token-user-123\r\n" in head:
        return build_response(b'{"user_id": "user-123", "scopes": ["orders:write"]}')
    return UNAUTHORIZED


async def test_surplus_auth_response_is_ignored(
    transport: httpx.AsyncBaseTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a surplus 401, the valid token is accepted and a wrong token is refused."""
    async with RawService(authenticate).listen() as auth:
        services = NetworkedAuth(auth.url, transport)
        monkeypatch.setenv("GATEWAY_AUTH_URL", auth.url)
        async with run_gateway(services) as client:
            await purchase(client, "token-user-123")
            auth.connections[0].send(UNAUTHORIZED)
            statuses = [await purchase(client, token) for token in ("token-user-123", "token-WRONG")]
            orders = (await services.fetch_state("order"))["orders"]

    assert statuses == [201, 401]
    assert len(orders) == 2


async def purchase(client: httpx.AsyncClient, token: str) -> int:
    order = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
    answer = await client.post("/purchases", json=order, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code
