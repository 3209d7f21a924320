"""The gateway of the sample, or the courier's, which sends itself a signal at a named point.

    CRASH_SITE="POST /transfers" gateway serve --app benchmarks.crashes.killable_gateway:app

- `CRASH_SITE`: a request to a service such as `POST /transfers`, or a statement of `STATEMENTS`.
- `CRASH_MOMENT`: before, during or after it.
- `CRASH_SIGNAL`: SIGKILL, or SIGSTOP to suspend the process.
- `CRASH_HEARTBEAT_TIMEOUT`: seconds without a heartbeat after which this gateway takes others for dead. It
  sends heartbeats less often than that.
- `CRASH_APP`: shop or courier.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, final

import httpx
from typing_extensions import override

import gateway.app as composition
from examples.courier.main import PIPELINES as COURIER_PIPELINES
from examples.courier.main import SERVICES as COURIER_SERVICES
from gateway.client.transport import create_transport
from gateway.executions import recovery, store
from gateway.executions.database.terms import Database, Dialect, Row, Statement, Value
from gateway.executions.database.url import create_database

__all__ = ("STATEMENTS", "app")

T = TypeVar("T")

STATEMENTS: Final = {
    "begin": "insert into gateway_executions",
    "settle": "update gateway_executions set state = $5, writes = $6, answer = $7",
    "seal": "update gateway_executions set state = 'sealed'",
    "amend": "update gateway_executions set state = 'committed', answer = $5",
    "take over": "update gateway_executions set state = 'undoing'",
    "finish seal": "update gateway_executions set state = 'committed', ended_at",
    "finish undo": "update gateway_executions set state = $5, writes = $6, answer = null",
}
"""The beginnings of statements by name (see `ExecutionStore`)."""

_SITE: Final = os.environ.get("CRASH_SITE", "")
_MOMENT: Final = os.environ.get("CRASH_MOMENT", "before")
_SIGNAL: Final = signal.Signals[os.environ.get("CRASH_SIGNAL", "SIGKILL")]
_HALFWAY: Final = {"statement": 0.0005, "request": 0.015}
"""Seconds after which a statement, or a request to a service, is on its way."""


_HAS_DIED: Final = asyncio.Event()


def _die() -> None:
    """Send the signal, once."""
    if not _HAS_DIED.is_set():
        _HAS_DIED.set()
        os.kill(os.getpid(), _SIGNAL)


async def _die_around(halfway: float, work: Callable[[], Awaitable[T]]) -> T:
    """Return the result of *work*, unless the process dies before, during or after it."""
    if _MOMENT == "before":
        _die()
    task = asyncio.ensure_future(work())
    if _MOMENT == "during":
        await asyncio.sleep(halfway)
        _die()
    result = await task
    if _MOMENT == "after":
        _die()
    return result


@final
class _KillingTransport(httpx.AsyncBaseTransport):
    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not _SITE or not f"{request.method} {request.url.path}".startswith(_SITE):
            return await self._transport.handle_async_request(request)
        return await _die_around(_HALFWAY["request"], lambda: self._transport.handle_async_request(request))

    @override
    async def __aenter__(self) -> "_KillingTransport":
        await self._transport.__aenter__()
        return self

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()


@final
class _KillingDatabase(Database):
    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    @override
    def dialect(self) -> Dialect:
        return self._database.dialect

    @override
    async def open(self) -> None:
        await self._database.open()

    @override
    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        if _SITE not in STATEMENTS or not sql.startswith(STATEMENTS[_SITE]):
            return await self._database.run(sql, *values)
        return await _die_around(_HALFWAY["statement"], lambda: self._database.run(sql, *values))

    @override
    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        return await self._database.transact(*statements)

    @override
    async def close(self) -> None:
        await self._database.close()


def _create_killing_database(url: str) -> Database:
    return _KillingDatabase(create_database(url))


# The gateway has no setting for any of this, so this program replaces globals before it creates the app.
setattr(composition, "create_database", _create_killing_database)  # noqa: B010 - no assignment to a function
if _HEARTBEAT_TIMEOUT := os.environ.get("CRASH_HEARTBEAT_TIMEOUT"):
    setattr(store, "HEARTBEAT_TIMEOUT", float(_HEARTBEAT_TIMEOUT))  # noqa: B010 - it is final
    setattr(recovery, "_INTERVAL", float(_HEARTBEAT_TIMEOUT) * 1.5)  # noqa: B010

_TRANSPORT: Final = _KillingTransport(create_transport())
app: Final = (
    composition.create_app(
        services=COURIER_SERVICES, pipelines=COURIER_PIPELINES, name="courier", transport=_TRANSPORT
    )
    if os.environ.get("CRASH_APP") == "courier"
    else composition.create_app(transport=_TRANSPORT)
)
