"""The whole gateway and the mock services in the test process, on a jumping clock."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx
from pydantic_core import to_json
from typing_extensions import override

from gateway.app import create_app
from mock_services.catalogue import SERVICES, create_service
from tests.ledger.asgi_exchange import AsgiRequest, exchange
from tests.ledger.caller_records import SentRequest, WriteRequest, assert_consistent, find_repeatable
from tests.ledger.service_books import STATEFUL_SERVICES, Books, Execution, Executions
from tests.shipped_services import URLS

__all__ = ("Disconnect", "InProcessGateway")

_LONG_ENOUGH: Final = 300.0
"""Seconds, longer than any deadline, budget or fault."""

Disconnect: TypeAlias = tuple[int, int] | None
"""When a client disconnects: after milliseconds, and then turns of the event loop. None means never."""


class Network(httpx.AsyncBaseTransport):
    """The network to the services; services in *cut* cannot be reached.

    *writing* contains the ids of executions that have sent a write or an undo.
    """

    def __init__(self) -> None:
        self._services = {name: httpx.ASGITransport(create_service(name)) for name in SERVICES}
        self._names = {urlsplit(url).port: name for name, url in URLS.items()}
        self.cut: set[str] = set()
        self.writing: set[str] = set()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = self._names[request.url.port]
        key = request.headers.get("idempotency-key", request.url.path.rpartition("/")[2])
        self.writing.add(key.partition(".")[0])
        if name in self.cut:
            raise httpx.ConnectError("cannot reach " + name)
        return await self._services[name].handle_async_request(request)

    async def control(self, method: str, service: str, endpoint: str, body: object = None) -> bytes:
        """Call a control endpoint of a service, even if it is cut off."""
        request = httpx.Request(method, f"{URLS[service]}/_mock/{endpoint}", json=body)
        response = await self._services[service].handle_async_request(request)
        assert response.is_success
        return await response.aread()


class InProcessGateway:
    """The gateway, the services and the clients."""

    def __init__(self) -> None:
        self._network = Network()
        self.sent: list[SentRequest] = []
        self.observed: set[str] = set()
        self._app = create_app(transport=self._network)
        self._tasks: list[asyncio.Task[None]] = []

    def send(
        self, request: WriteRequest, timeout_ms: int | None = None, disconnect: Disconnect = None
    ) -> None:
        """Start a request, optionally with a timeout in milliseconds and a client that disconnects."""
        sent = SentRequest(request)
        self.sent.append(sent)
        self._begin(self._send(sent, timeout_ms, disconnect))

    def retry(self, execution_id: str) -> None:
        """Start an operator's retry of an execution that may be stuck."""

        async def send_retry() -> None:
            answer = await exchange(self._app, AsgiRequest("POST", f"/executions/{execution_id}/retry"))
            assert answer
            assert answer.status in {200, 409}
            self.observed.add(f"operator's retry: {answer.status} {answer.json.get('state', '')}")

        self._begin(send_retry())

    def cut(self, service: str, crowd: Sequence[WriteRequest] = ()) -> None:
        """Make *service* unreachable, and send the requests of a *crowd*."""
        self._network.cut.add(service)
        for request in crowd:
            self.send(request)

    async def inject_faults(self, service: str, faults: Sequence[Mapping[str, object]]) -> None:
        await self._network.control("PUT", service, "faults", faults)

    async def clear_faults(self) -> None:
        """Remove every fault; requests in flight keep theirs."""
        self._network.cut.clear()
        for name in SERVICES:
            await self.inject_faults(name, ())

    async def books(self) -> Books:
        """Return the books, after asserting the invariants that always hold."""
        found: dict[str, object] = {}
        for name in STATEFUL_SERVICES:
            found |= httpx.Response(200, content=await self._network.control("GET", name, "state")).json()
        books = Books.model_validate(found)
        books.assert_conserved()
        self.observed |= books.rare_events
        return books

    async def executions(self, state: str | None = None, limit: int = 7) -> Sequence[Execution]:
        """Return the executions, which are fetched in pages of *limit*."""
        found: list[Execution] = []
        query = f"limit={limit}" + ("" if state is None else f"&state={state}")
        cursor: str | None = ""
        while cursor is not None:
            page_query = query + (cursor and f"&cursor={cursor}")
            answer = await exchange(self._app, AsgiRequest("GET", "/executions", page_query))
            assert answer
            page = Executions.model_validate_json(answer.body)
            found += page.executions
            cursor = page.cursor
        return found

    async def settle(self) -> None:
        """Bring everything to rest, and assert all invariants.

        Removes all faults, waits for all requests, retries stuck executions, and repeats each request that
        has a key.
        """
        await self.clear_faults()
        await self._wait_for_tasks()
        for stuck in await self.executions("stuck"):
            self.retry(stuck.execution_id)
        await self._wait_for_tasks()
        assert not [*await self.executions("stuck"), *await self.executions("running")]
        for request in find_repeatable(self.sent):
            self.send(request)
            await self._wait_for_tasks()
        executions, books = await self.executions(), await self.books()
        for execution in executions:
            if execution.execution_id not in self._network.writing:  # a circuit breaker is open
                assert execution.outcomes == {"refused"}
                self.observed.add(f"{execution.pipeline}: no write was sent")
        self.observed |= {f"{execution.pipeline}: {execution.state}" for execution in executions}
        books.assert_agree(executions)
        assert_consistent(self.sent, books, executions)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _wait_for_tasks(self) -> None:
        """Wait until all requests have ended."""
        await asyncio.sleep(_LONG_ENOUGH)
        tasks, self._tasks = self._tasks, []
        assert all(task.done() for task in tasks), "a request hangs"
        await asyncio.gather(*tasks)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _send(self, sent: SentRequest, timeout_ms: int | None, disconnect: Disconnect) -> None:
        disconnected = asyncio.Event()
        disconnecting = asyncio.create_task(_disconnect(disconnected, disconnect))
        headers = dict(sent.request.headers)
        if timeout_ms is not None:
            headers["X-Request-Timeout-Ms"] = str(timeout_ms)
        request = AsgiRequest("POST", sent.request.path, headers=headers, body=to_json(sent.request.body))
        sent.answer = await exchange(self._app, request, disconnected)
        sent.has_disconnected = disconnected.is_set()
        disconnecting.cancel()


async def _disconnect(disconnected: asyncio.Event, disconnect: Disconnect) -> None:
    if disconnect is not None:
        milliseconds, turns = disconnect
        await asyncio.sleep(milliseconds / 1000)
        for _ in range(turns):
            await asyncio.sleep(0)
        disconnected.set()
