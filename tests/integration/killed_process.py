"""Processes of the sample gateway that can be cut off from their database and services, as if killed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from typing_extensions import override

from gateway.api.application import Gateway
from gateway.api.endpoints import executions
from gateway.api.endpoints.readiness import Readiness
from gateway.api.pipeline_route.route import build_routes
from gateway.app import connect
from gateway.executions.database import DatabaseUnavailableError, Dialect, Row, Statement, Value
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.recovery import Recovery
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore
from gateway.pipelines import PIPELINES
from gateway.railway import CommitTerms
from gateway.services import SERVICES
from gateway.settings import load_settings
from tests.api.sample_gateway import build_state
from tests.executions.scripted_database import ScriptedDatabase
from tests.integration.in_process import InProcessServices

__all__ = ("Process", "run_process")

HEADERS: Final = {"Authorization": "Bearer token-user-123"}


@dataclass
class Lifeline:
    """Connection of a process to the world; once it is cut, each call hangs until the end of the test."""

    is_cut: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def hold(self) -> None:
        """Wait until the end of the test, and raise, if the connection is cut."""
        if self.is_cut:
            await self.end.wait()
            raise ConnectionError


class CutOffDatabase:
    """Database of a process that may be killed."""

    def __init__(self, database: ScriptedDatabase, lifeline: Lifeline) -> None:
        self._database = database
        self._lifeline = lifeline

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    async def open(self) -> None:
        await self._database.open()

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        results = await self.transact(Statement(sql, values))
        assert results is not None
        return results[0]

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        try:
            await self._lifeline.hold()
            results = await self._database.transact(*statements)
            await self._lifeline.hold()
        except ConnectionError as error:
            msg = "the process was killed"
            raise DatabaseUnavailableError(msg) from error
        return results

    async def close(self) -> None:
        """Keep the data for the other processes."""


class CutOffServices(httpx.AsyncBaseTransport):
    """Services of a process that may be killed."""

    def __init__(self, services: InProcessServices, lifeline: Lifeline) -> None:
        self._services = services
        self._lifeline = lifeline

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            await self._lifeline.hold()
            response = await self._services.handle_async_request(request)
            await self._lifeline.hold()
        except ConnectionError as error:
            msg = "the process was killed"
            raise httpx.ConnectError(msg) from error
        return response


class Process:
    """Process of the sample gateway, with a *client*, whose journal is in *database*."""

    def __init__(self, services: InProcessServices, database: ScriptedDatabase) -> None:
        self._lifeline = Lifeline()
        transport = CutOffServices(services, self._lifeline)
        connections = connect(SERVICES, load_settings(SERVICES), transport)
        undos = {undo.name: undo for connection in connections for undo in connection.client.undos.values()}
        store = ExecutionStore(CutOffDatabase(database, self._lifeline), "sample")
        health = JournalHealth(StorageLimit(1_000_000))
        self._registry = ExecutionRegistry(store, undos, CommitTerms(), health)
        self._recovery = Recovery(store, undos, 30.0, health, self._registry)
        state = build_state(deadline=10, executions=self._registry)
        instances = {connection.name: connection.instance for connection in connections}
        app = Gateway(
            state,
            Readiness({}),
            title="sample",
            version="1.0",
            routes=build_routes(PIPELINES, instances, state),
            pipelines=(),
            routers=(executions.build_router(self._registry, None),),
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost", headers=HEADERS
        )

    def kill(self) -> None:
        """Cut the process off: nothing that it sends arrives, and it gets no answers."""
        self._lifeline.is_cut = True

    async def recover(self, seconds: float = 10) -> None:
        """Let the process recover executions for some *seconds*."""
        recovering = asyncio.create_task(self._recovery.run())
        await asyncio.sleep(seconds)
        recovering.cancel()

    async def end(self) -> None:
        """Let all runs end."""
        self._lifeline.end.set()
        await self._registry.drain()
        await self.client.aclose()


@asynccontextmanager
async def run_process(services: InProcessServices, database: ScriptedDatabase) -> AsyncGenerator[Process]:
    """Run a process, and let its runs end afterwards."""
    process = Process(services, database)
    try:
        yield process
    finally:
        await process.end()
