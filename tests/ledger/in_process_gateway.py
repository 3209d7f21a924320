"""The gateway as it is wired, and the mock services behind it, in one process and on a clock that jumps."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx
from pydantic_core import to_json
from typing_extensions import override

from gateway.app import create_app
from gateway.settings import Settings
from mock_services.catalogue import SERVICES, create_service
from tests.ledger.asgi_exchange import Sent, exchange
from tests.ledger.caller_records import Asked, Wanted, assert_told_the_truth, worth_asking_again
from tests.ledger.service_books import HOLDERS, Books, Execution, Executions

__all__ = ("HangsUp", "World")

_URLS: Final = Settings().urls
_LONG: Final = 300.0
"""Seconds: longer than any deadline, budget or fault."""

HangsUp: TypeAlias = tuple[int, int] | None
"""When a caller leaves: after so many milliseconds, and then so many turns of the loop."""


class Network(httpx.AsyncBaseTransport):
    """The way to each service; where it is cut, nobody can be reached.

    *writing* are the executions that have tried to send a write, or an undo.
    """

    def __init__(self) -> None:
        self._services = {name: httpx.ASGITransport(create_service(name)) for name in SERVICES}
        self._names = {urlsplit(url).port: name for name, url in _URLS.items()}
        self.cut: set[str] = set()
        self.writing: set[str] = set()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = self._names[request.url.port]
        key = request.headers.get("idempotency-key", request.url.path.rpartition("/")[2])
        self.writing.add(key.partition(".")[0])
        if name in self.cut:
            raise httpx.ConnectError("no way to " + name)
        return await self._services[name].handle_async_request(request)

    async def control(self, method: str, service: str, what: str, body: object = None) -> bytes:
        """Ask for a service's /_mock/..., for which there is always a way."""
        request = httpx.Request(method, f"{_URLS[service]}/_mock/{what}", json=body)
        response = await self._services[service].handle_async_request(request)
        assert response.is_success
        return await response.aread()


class World:
    """The gateway, the services, and those who call."""

    def __init__(self) -> None:
        self._network = Network()
        self.asked: list[Asked] = []
        self.saw: set[str] = set()
        self._app = create_app(Settings(), self._network)
        self._going: list[asyncio.Task[None]] = []

    def ask(self, wanted: Wanted, patience: int | None = None, hangs_up: HangsUp = None) -> None:
        """Begin a request that has *patience* milliseconds, and whose caller may hang up."""
        asked = Asked(wanted)
        self.asked.append(asked)
        self._begin(self._asked(asked, patience, hangs_up))

    def retry(self, execution_id: str) -> None:
        """Begin an operator's retry of what may be stuck."""

        async def retried() -> None:
            answer = await exchange(self._app, Sent("POST", f"/executions/{execution_id}/retry"))
            assert answer
            assert answer.status in {200, 409}
            self.saw.add(f"a retry gives {answer.status} {answer.json.get('state', '')}")

        self._begin(retried())

    def cut(self, service: str, crowd: Sequence[Wanted] = ()) -> None:
        """Let nobody reach *service*, and have a *crowd* find out."""
        self._network.cut.add(service)
        for wanted in crowd:
            self.ask(wanted)

    async def break_down(self, service: str, faults: Sequence[Mapping[str, object]]) -> None:
        await self._network.control("PUT", service, "faults", faults)

    async def heal(self) -> None:
        """Take every fault away; what is on its way stays broken."""
        self._network.cut.clear()
        for name in SERVICES:
            await self.break_down(name, ())

    async def books(self) -> Books:
        """Read the books, and hold them to what is true at every moment."""
        found: dict[str, object] = {}
        for name in HOLDERS:
            found |= httpx.Response(200, content=await self._network.control("GET", name, "state")).json()
        books = Books.model_validate(found)
        books.assert_conserved()
        self.saw |= books.sights
        return books

    async def executions(self, state: str | None = None, limit: int = 7) -> Sequence[Execution]:
        """List the executions, page by page."""
        found: list[Execution] = []
        query = f"limit={limit}" + ("" if state is None else f"&state={state}")
        cursor: str | None = ""
        while cursor is not None:
            page_query = query + (cursor and f"&cursor={cursor}")
            answer = await exchange(self._app, Sent("GET", "/executions", page_query))
            assert answer
            page = Executions.model_validate_json(answer.body)
            found += page.executions
            cursor = page.cursor
        return found

    async def settle(self) -> None:
        """Take away what goes wrong, let everything end, undo what is stuck, and hold all to the books."""
        await self.heal()
        await self._quiet()
        for stuck in await self.executions("stuck"):
            self.retry(stuck.execution_id)
        await self._quiet()
        assert not [*await self.executions("stuck"), *await self.executions("running")]
        for wanted in worth_asking_again(self.asked):
            self.ask(wanted)
            await self._quiet()
        executions, books = await self.executions(), await self.books()
        for one in executions:
            if one.execution_id not in self._network.writing:  # its services are left alone for now
                assert one.outcomes == {"refused"}
                self.saw.add(f"{one.pipeline} are not even tried")
        self.saw |= {f"{one.pipeline} are {one.state}" for one in executions}
        books.assert_agree(executions)
        assert_told_the_truth(self.asked, books, executions)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _quiet(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.sleep(_LONG)
        going, self._going = self._going, []
        assert all(task.done() for task in going), "it hangs"
        await asyncio.gather(*going)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._going.append(asyncio.create_task(work))

    async def _asked(self, asked: Asked, patience: int | None, hangs_up: HangsUp) -> None:
        gone = asyncio.Event()
        leaving = asyncio.create_task(_leave(gone, hangs_up))
        headers = dict(asked.wanted.headers)
        if patience is not None:
            headers["X-Request-Timeout-Ms"] = str(patience)
        sent = Sent("POST", asked.wanted.path, headers=headers, body=to_json(asked.wanted.body))
        asked.answer = await exchange(self._app, sent, gone)
        asked.has_hung_up = gone.is_set()
        leaving.cancel()


async def _leave(gone: asyncio.Event, hangs_up: HangsUp) -> None:
    if hangs_up is not None:
        milliseconds, turns = hangs_up
        await asyncio.sleep(milliseconds / 1000)
        for _ in range(turns):
            await asyncio.sleep(0)
        gone.set()
