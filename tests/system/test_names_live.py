"""Names of services that hang in the name server, or whose address moves, in front of real mock services."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from typing import Final

import httpx
import pytest
import uvloop

from gateway.app import create_app
from gateway.http1 import Http1Transport, Resolver, TransportTerms
from gateway.services import SERVICES
from gateway.settings import default_settings
from tests.system.stack import ORDER, mocks

TRANSFER: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "1.00", "currency": "USD"}
PURCHASE: Final = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
PATIENT: Final = {"call_timeout_ms": 4000}
TERMS: Final = TransportTerms(max_age=0.4, address_ttl=0.1)


class NameServer:
    """Name server that hangs for the names in *silent* until closed; *moved* has the addresses of others."""

    def __init__(self, *silent: str) -> None:
        self.moved: Final[dict[str, str]] = {}
        self.hanging: Final = threading.Semaphore(0)
        self._silent = silent
        self._is_closed = threading.Event()

    def look_up(self, host: str) -> Sequence[str]:
        if host in self._silent:
            self.hanging.release()
            self._is_closed.wait()
        return [self.moved.get(host, "127.0.0.1")]

    def close(self) -> None:
        self._is_closed.set()


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


@asynccontextmanager
async def run_named_gateway(
    services: Mapping[str, str], server: NameServer
) -> AsyncGenerator[httpx.AsyncClient]:
    """Run a gateway that knows each service by a name, such as `user.test`; yield its client."""
    urls = {name: url.replace("127.0.0.1", f"{name}.test") for name, url in services.items()}
    transport = Http1Transport(terms=TERMS, resolver=Resolver(TERMS.address_ttl, server.look_up))
    app = create_app(default_settings(SERVICES, **PATIENT).with_urls(urls), transport=transport)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        yield client


async def post(
    client: httpx.AsyncClient, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> int:
    """Return the status of the response."""
    return (await client.post(path, json=body, headers=headers)).status_code


def test_silent_names_slow_no_other_service(services: Mapping[str, str]) -> None:
    server = NameServer("user.test", "auth.test")

    async def play() -> tuple[Sequence[int], float]:
        async with run_named_gateway(services, server) as client:
            silent = [
                asyncio.create_task(task)
                for _ in range(30)
                for task in (post(client, "/checkout", ORDER), post(client, "/purchases", PURCHASE, TOKEN))
            ]
            for _ in range(2):
                await asyncio.to_thread(server.hanging.acquire)
            began = time.monotonic()
            statuses = [await post(client, "/transfers", TRANSFER) for _ in range(5)]
            seconds = time.monotonic() - began
            assert not any(task.done() for task in silent)
            for task in silent:
                task.cancel()
            await asyncio.wait(silent)
        return statuses, seconds

    with closing(server):
        statuses, seconds = uvloop.run(play())

    assert statuses == [201] * 5
    assert seconds < PATIENT["call_timeout_ms"] / 2000  # until connecting times out


def count_calls(url: str) -> int:
    return len(httpx.get(f"{url}/_mock/calls").json())


def test_moved_name_gets_all_calls_under_load(services: Mapping[str, str]) -> None:
    """All connections are busy all the time, and the old instance keeps answering."""
    server, old = NameServer(), services["user"]
    port = old.rpartition(":")[2]

    async def play(new: str) -> tuple[set[int], Sequence[int]]:
        statuses: set[int] = set()
        counts: list[int] = []

        async def load() -> None:
            while len(counts) < 3:
                statuses.add(await post(client, "/checkout", ORDER))

        async def move() -> None:
            await asyncio.sleep(0.2)
            server.moved["user.test"] = "127.0.0.2"
            await asyncio.sleep(1)
            counts.append(await asyncio.to_thread(count_calls, old))
            await asyncio.sleep(0.2)
            counts.append(await asyncio.to_thread(count_calls, old))
            counts.append(await asyncio.to_thread(count_calls, new))

        async with run_named_gateway(services, server) as client, asyncio.TaskGroup() as group:
            for task in (move(), load(), load(), load()):
                group.create_task(task)
        return statuses, counts

    with mocks("user", "--host", "127.0.0.2", "--port", port, MOCK_LATENCY_SCALE="0") as moved:
        statuses, (before, after, new) = uvloop.run(play(moved["user"]))

    assert statuses == {200}
    assert before == after > 0
    assert new > 0
