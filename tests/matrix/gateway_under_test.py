"""The whole gateway in process, which runs the cells."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, Self, TypeAlias, cast, final

import httpx
from fastapi import FastAPI

from gateway.api.endpoints.readiness import JOURNAL
from gateway.app import create_app
from tests.matrix.call_graph import CallGraph
from tests.matrix.cells import Cell
from tests.matrix.faults import UndoFault
from tests.matrix.faulty_services import ReceivedRequest, Script, Services
from tests.matrix.openapi_answers import Document
from tests.matrix.request_identity import identify_request, without_ids
from tests.matrix.subject import PathParameters, Sample, Subject

__all__ = ("CellResult", "Connect", "Gateway", "load_document", "parse_body", "reach_directly")

Connect: TypeAlias = Callable[[Services], httpx.AsyncBaseTransport]
"""Returns the transport through which the gateway reaches the services."""

_LONG_ENOUGH: Final = 600.0
"""Seconds after which everything is idle; days would take too long on the jumping clock."""

_NONE: Final[Mapping[str, str]] = {}
_RUNNING: Final = 202
_TRANSIENT: Final = (502, 503, 504)
_MAX_POLLS: Final = 20
_COMPARED: Final = ("content-type", "retry-after", "gateway-completed", "www-authenticate", "cache-control")


def reach_directly(services: Services) -> httpx.AsyncBaseTransport:
    """Return *services*, which are a transport: there is no network."""
    return services


@final
@dataclass(frozen=True)
class CellResult:
    """The result of a cell in an order of arrival.

    *first* and *final* are the same response, unless the first is a 202. *before_end* are the requests that
    services received before the final response, *received* also contains later requests. *effects* are the
    keys of the writes in effect; *quantities* are the quantities in the services, *initial* those before the
    request. If there is an execution, *record* is the response with its record, and *repeat* the response to
    a repeated request, unless that would be a new attempt. *seconds* is the time of the first response.
    *left* names leaked tasks and responses.
    """

    first: httpx.Response
    final: httpx.Response
    repeat: httpx.Response | None
    record: httpx.Response | None
    before_end: Sequence[ReceivedRequest]
    received: Sequence[ReceivedRequest]
    effects: Sequence[str]
    quantities: Mapping[tuple[str, str], object]
    initial: Mapping[tuple[str, str], object]
    seconds: float
    left: Sequence[str]

    @property
    def answers(self) -> Sequence[httpx.Response]:
        """All responses of the gateway to the request."""
        return [answer for answer in (self.first, self.final, self.repeat) if answer is not None]

    @property
    def execution_id(self) -> str | None:
        return _find_execution_id(self.final)

    @property
    def fingerprint(self) -> str:
        """The parts of the response that must not depend on the order of arrival, without generated ids."""
        headers = "".join(f"{name}: {self.final.headers.get(name)}\n" for name in _COMPARED)
        return f"{self.first.status_code} {self.final.status_code}\n{headers}{without_ids(self.final.text)}"


@final
class Gateway:
    """The gateway for many cells, with time to become idle after each."""

    def __init__(
        self, sample: Sample, graph: CallGraph, client: httpx.AsyncClient, services: Services
    ) -> None:
        self._sample = sample
        self._graph = graph
        self._client = client
        self._services = services
        self._count = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, subject: Subject, sample: Sample, graph: CallGraph, connect: Connect = reach_directly
    ) -> AsyncGenerator[Self]:
        """Create the gateway and a client for it, and yield an object that runs cells."""
        services = Services(subject)
        transport = httpx.ASGITransport(_create_app(subject, connect(services)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield cls(sample, graph, client, services)

    async def find_open_breakers(self) -> Sequence[str]:
        """Return the services whose circuit breakers are not closed, which would affect the next cell."""
        checks = (await self._client.get("/health/ready")).json()["checks"]
        breakers = {
            name: {check["breaker"], check["optionalBreaker"]}
            for name, (check,) in checks.items()
            if name != JOURNAL
        }
        return [name for name, states in breakers.items() if states != {"closed"}]

    async def run(
        self, cell: Cell, latencies: Mapping[str, float], headers: Mapping[str, str] = _NONE
    ) -> CellResult:
        """Send the request, wait for its final response, and repeat the request if its response is kept."""
        self._count += 1
        services, graph = self._services, self._graph
        script = Script(
            partial(identify_request, graph), cell.faults, _collect_undo_faults(graph, cell), latencies
        )
        path = await services.begin(script, self._sample)
        initial = await services.stand_ins.measure()
        send = partial(self._send, f"cell-{self._count}", path, headers)
        start = asyncio.get_running_loop().time()
        first = end = await send()
        seconds = asyncio.get_running_loop().time() - start
        for _ in range(_MAX_POLLS):
            if end.status_code != _RUNNING:
                break
            end = await send()
        left = [*await self._find_leaks()]
        before_end = (*services.received,)
        repeat = record = None
        if (execution_id := _find_execution_id(end)) is not None:
            if end.status_code not in _TRANSIENT:  # the key is free: it would be a new attempt
                repeat = await send()
            record = await self._client.get(f"/executions/{execution_id}")
        await asyncio.sleep(_LONG_ENOUGH)
        keys = {seen.key for seen in services.received if seen.key is not None}
        effects, quantities = await services.stand_ins.list_effects(keys), await services.stand_ins.measure()
        return CellResult(
            first,
            end,
            repeat,
            record,
            before_end,
            (*services.received,),
            effects,
            quantities,
            initial,
            seconds,
            left,
        )

    async def _send(self, key: str, path: PathParameters, headers: Mapping[str, str]) -> httpx.Response:
        sample = self._sample
        sent = {"X-Request-Id": "matrix", "Idempotency-Key": key, **sample.headers, **headers}
        target = sample.route.path.format_map(path)
        return await self._client.request(sample.method, target, json=sample.body, headers=sent)

    async def _find_leaks(self) -> Sequence[str]:
        """Return the leaked tasks and responses of the request, after a turn of the loop."""
        await asyncio.sleep(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()} - self._services.tasks
        streams = [f"{self._services.open} responses were not closed"] if self._services.open else []
        return [*(f"left: {task}" for task in tasks), *streams]


def _create_app(subject: Subject, transport: httpx.AsyncBaseTransport) -> FastAPI:
    return create_app(services=subject.services, pipelines=subject.routes, transport=transport)


def _collect_undo_faults(graph: CallGraph, cell: Cell) -> Mapping[str, UndoFault]:
    """Return the faults of the undos and their look-ups, by name."""
    faults: dict[str, UndoFault] = {}
    for call in graph.calls:
        if call.undo is not None and (fault := cell.faults.get(call.name)) is not None:
            faults[call.undo.name] = fault.undo
            if call.undo.lookup is not None:
                faults[call.undo.lookup.name] = fault.lookup
    return faults


@cache
def load_document(subject: Subject) -> Document:
    """Return the OpenAPI document of *subject*.

    Runs its own event loop, so it must be called outside any loop.
    """

    async def fetch() -> Document:
        transport = httpx.ASGITransport(_create_app(subject, Services(subject)))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return Document((await client.get("/openapi.json")).json())

    return asyncio.run(fetch())


def parse_body(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the object in the body of *answer*, without members if there is no body."""
    return cast("Mapping[str, Any]", answer.json()) if answer.content else {}


def _find_execution_id(answer: httpx.Response) -> str | None:
    """Return the id of the execution from Location or the problem; None without an execution."""
    location = answer.headers.get("location")
    if location is not None:
        return str(location).removeprefix("/executions/")
    return parse_body(answer).get("execution_id")
