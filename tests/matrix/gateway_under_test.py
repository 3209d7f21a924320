"""The whole gateway, in which cells are played."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Self, cast, final

import httpx

from gateway.app import create_app
from gateway.settings import Settings
from tests.matrix.call_graph import Shape
from tests.matrix.cells import Cell
from tests.matrix.discovery import named
from tests.matrix.faulty_services import Script, Seen, Services
from tests.matrix.openapi_answers import Document
from tests.matrix.sample_requests import Sample

__all__ = ("Gateway", "Played", "load_document", "without_ids")

_A_WHILE: Final = 600.0
"""Long enough for everything to come to rest. Days on end would be too long: see `tests.clock`."""

_NONE: Final[Mapping[str, str]] = {}
_RUNNING: Final = 202
_PATIENCE: Final = 20
_MADE_UP: Final = re.compile(r"\b([a-z]{3})-[0-9a-f]{24,32}\b")
_COMPARED: Final = ("content-type", "retry-after", "gateway-completed", "www-authenticate", "cache-control")


@final
@dataclass(frozen=True)
class Played:
    """What a cell came to in one order of arrival.

    The *first* answer is the *final* one, unless it says that the commit goes on. *made* is what was asked of
    the services before the end, *seen* what was asked of them at all; *states* is what they have written.
    Of an execution there is a *record*, and the answer that is given *again*. *seconds* is how long the first
    answer took, *left* what it should not have left behind.
    """

    first: httpx.Response
    final: httpx.Response
    again: httpx.Response | None
    record: httpx.Response | None
    made: Sequence[Seen]
    seen: Sequence[Seen]
    states: Mapping[str, Mapping[str, object]]
    seconds: float
    left: Sequence[str]

    @property
    def answers(self) -> Sequence[httpx.Response]:
        """Give everything that the gateway has answered to the request."""
        return [answer for answer in (self.first, self.final, self.again) if answer is not None]

    @property
    def execution_id(self) -> str | None:
        return _execution_of(self.final)

    @property
    def told(self) -> str:
        """Give what must be the same whatever arrives first: ids that are made up are not."""
        headers = "".join(f"{name}: {self.final.headers.get(name)}\n" for name in _COMPARED)
        return f"{self.first.status_code} {self.final.status_code}\n{headers}{without_ids(self.final.text)}"


@final
class Gateway:
    """One app for many cells: between two of them it has time to come to rest."""

    def __init__(self, sample: Sample, shape: Shape, client: httpx.AsyncClient, services: Services) -> None:
        self._sample = sample
        self._shape = shape
        self._client = client
        self._services = services
        self._count = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, sample: Sample, shape: Shape) -> AsyncGenerator[Self]:
        """Wire the gateway, for the time being."""
        services = Services()
        app = create_app(Settings(), services)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield cls(sample, shape, client, services)

    async def ajar(self) -> Sequence[str]:
        """Name the services whose breakers are not closed: one cell would make itself felt in the next."""
        checks = (await self._client.get("/health/ready")).json()["checks"]
        breakers = {name: {check["breaker"], check["optionalBreaker"]} for name, (check,) in checks.items()}
        return [name for name, states in breakers.items() if states != {"closed"}]

    async def play(
        self, cell: Cell, latencies: Mapping[str, float], headers: Mapping[str, str] = _NONE
    ) -> Played:
        """Send the request once, and wait for what it comes to in the end."""
        self._count += 1
        services, shape = self._services, self._shape
        undo_faults = {
            call.undo.name: fault
            for call in shape.calls
            if call.undo is not None and (fault := cell.faults.get(call.name)) and fault.undo != "none"
        }
        services.begin(Script(partial(named, shape), cell.faults, undo_faults, latencies))
        asked = partial(self._asked, f"cell-{self._count}", headers)
        start = asyncio.get_running_loop().time()
        first = end = await asked()
        seconds = asyncio.get_running_loop().time() - start
        for _ in range(_PATIENCE):
            if end.status_code != _RUNNING:
                break
            end = await asked()
        left = [*await self._left()]
        made = (*services.seen,)
        again = record = None
        if (execution_id := _execution_of(end)) is not None:
            again = await asked()
            record = await self._client.get(f"/executions/{execution_id}")
        await asyncio.sleep(_A_WHILE)
        return Played(first, end, again, record, made, (*services.seen,), services.states, seconds, left)

    async def _asked(self, key: str, headers: Mapping[str, str]) -> httpx.Response:
        sample = self._sample
        sent = {"X-Request-Id": "matrix", "Idempotency-Key": key, **sample.headers, **headers}
        return await self._client.request(sample.method, sample.target, json=sample.body, headers=sent)

    async def _left(self) -> Sequence[str]:
        """Say what is left of the request, a turn of the loop after its end."""
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        streams = [f"{self._services.open} answers were not closed"] if self._services.open else []
        return [*(f"left: {task}" for task in tasks), *streams]


@cache
def load_document() -> Document:
    """Return the gateway's OpenAPI document, which is the same for every app of these tests.

    Runs an event loop of its own, so it is called outside any other.
    """

    async def fetch() -> Document:
        transport = httpx.ASGITransport(create_app(Settings(), Services()))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return Document((await client.get("/openapi.json")).json())

    return asyncio.run(fetch())


def without_ids(text: str) -> str:
    """Give *text* without what is another one each time."""
    return _MADE_UP.sub(r"\1-", text)


def _execution_of(answer: httpx.Response) -> str | None:
    """Give the id of the execution, if there was one: a success says where it is, a problem what it is."""
    location = answer.headers.get("location")
    if location is not None:
        return str(location).removeprefix("/executions/")
    return cast("str | None", answer.json().get("execution_id"))
