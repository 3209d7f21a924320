"""PostgreSQL as the database of a journal. Imports psycopg; only `create_database` imports this module."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar, final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from gateway.executions.database.errors import DatabaseRefusedError, DatabaseUnavailableError
from gateway.executions.database.postgres_errors import map_exception
from gateway.executions.database.postgres_pool import Connection, PostgresPool
from gateway.executions.database.terms import TIME_LIMIT, Dialect, Row, Statement, Value

__all__ = ("POSTGRESQL", "PostgresDatabase")

T = TypeVar("T")

CONNECTIONS: Final = 8
"""Maximum number of connections of a process, in each event loop that it uses."""

_CANCELLING: Final = 1 / 8
"""Share of the time limit that is left for cancelling a statement on the server."""

POSTGRESQL: Final = Dialect(
    name="PostgreSQL",
    now="extract(epoch from statement_timestamp())::double precision",
    auto_key="bigint generated always as identity primary key",
    integer="bigint",
    real="double precision",
    blob="bytea",
    exclusive=("select pg_advisory_xact_lock(7021853746201)",),  # an arbitrary number of ours
)


class _UnmetConditionError(Exception):
    """A condition has returned no rows: roll back."""


@final
class PostgresDatabase:
    """PostgreSQL database at *url*, for any number of processes on any number of machines.

    Connections are made when a call needs one, so that the server may be down at the start. PgBouncer may
    pool transactions. Raise `DatabaseRefusedError` if *url* is not valid.
    """

    def __init__(self, url: str, *, connections: int = CONNECTIONS, time_limit: float = TIME_LIMIT) -> None:
        _check_url(url)
        # psycopg warns of cancellations that the server does not answer; callers get an error for them.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        self.dialect = POSTGRESQL
        self._url = url
        self._connections: Final = connections
        self._time_limit: Final = time_limit
        self._pools: dict[asyncio.AbstractEventLoop, PostgresPool] = {}
        self._is_open = False

    async def open(self) -> None:
        """Allow calls; the first one connects."""
        self._is_open = True

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        """Execute one statement."""
        return await self._call(lambda connection: _execute(connection, Statement(sql, values)))

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        """Execute *statements* in one transaction."""
        return await self._call(lambda connection: _execute_all(connection, statements))

    async def close(self) -> None:
        """Wait for the calls in this event loop, and close all connections."""
        self._is_open = False
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()
        own_pool = pools.get(asyncio.get_running_loop())
        if own_pool is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._time_limit):
                    await own_pool.wait_idle()

    async def _call(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of *work* with a connection, within the time limit.

        The first timeout makes psycopg cancel the statement on the server, and wait until it has ended. If
        the server does not answer, the second one makes it close the connection. A caller that is cancelled
        waits likewise, so that no statement goes on without it.
        """
        try:
            async with (
                asyncio.timeout(self._time_limit),
                asyncio.timeout(self._time_limit * (1 - _CANCELLING)),
                self._find_pool().borrow() as connection,
            ):
                return await work(connection)
        except TimeoutError:
            msg = f"PostgreSQL has not answered within {self._time_limit:g} s"
            raise DatabaseUnavailableError(msg) from None
        except DatabaseUnavailableError:
            raise
        except Exception as error:
            raise map_exception(error) from error

    def _find_pool(self) -> PostgresPool:
        if not self._is_open:
            msg = "the PostgreSQL database is not open"
            raise DatabaseUnavailableError(msg)
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = PostgresPool(self._url, self._connections)
        return self._pools[loop]


async def _execute(connection: Connection, statement: Statement) -> Sequence[Row]:
    cursor = await connection.execute(statement.sql.encode(), statement.values or None)
    return await cursor.fetchall() if cursor.description else ()


async def _execute_all(
    connection: Connection, statements: Sequence[Statement]
) -> Sequence[Sequence[Row]] | None:
    try:
        async with connection.transaction():
            return [await _execute_met(connection, statement) for statement in statements]
    except _UnmetConditionError:
        return None


async def _execute_met(connection: Connection, statement: Statement) -> Sequence[Row]:
    rows = await _execute(connection, statement)
    if statement.is_condition and not rows:
        raise _UnmetConditionError
    return rows


def _check_url(url: str) -> None:
    """Raise `DatabaseRefusedError` if *url* is not valid; the text has no part of it.

    libpq takes a part of a password for the host, the port or the database if its `@` or `/` is not encoded,
    and its messages would show that part.
    """
    try:
        found = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        found = {"host": "?@"}
    host, port, name = (str(found.get(key) or "") for key in ("host", "port", "dbname"))
    # A host that begins with @ is a socket in Linux's abstract namespace.
    if "@" in host[1:] + name or not set(port) <= {*"0123456789,"}:
        msg = (
            "invalid postgresql:// URL; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with %40 for @ and %2F for / in the password"
        )
        raise DatabaseRefusedError(msg)
