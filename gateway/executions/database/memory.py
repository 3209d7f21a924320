"""SQLite in memory: a journal for tests, demonstrations and gateways that never write."""

import asyncio
import math
import sqlite3
import threading
from collections.abc import Sequence
from typing import Final, final

from gateway.executions.database.errors import DatabaseError, DatabaseUnavailableError
from gateway.executions.database.sqlite import SQLITE
from gateway.executions.database.sqlite_session import Job, SqliteSession
from gateway.executions.database.terms import Row, Statement, Value

__all__ = ("MemoryDatabase",)


@final
class _MemorySource:
    name = "the database in memory"

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    def check(self) -> None:
        """Do nothing: there is no file that could be lost."""


@final
class MemoryDatabase:
    """SQLite database in memory, which is lost when it is closed.

    Statements are executed in the caller's thread: they take some microseconds and wait for nothing, so that
    a test may run on a clock that jumps.
    """

    def __init__(self) -> None:
        self.dialect = SQLITE
        self._session: SqliteSession | None = None
        self._lock: Final = threading.Lock()

    async def open(self) -> None:
        """Create the database unless it is open."""
        if self._session is None:
            self._session = SqliteSession(_MemorySource())

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        """Execute one statement."""
        results = await self.transact(Statement(sql, values))
        return results[0] if results else ()

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        """Execute *statements* in one transaction."""
        await asyncio.sleep(0)  # other tasks run meanwhile, as with a database that takes its time
        job = Job(statements, is_read=False, deadline=math.inf)
        with self._lock:
            if self._session is None:
                msg = "the database in memory is not open"
                raise DatabaseUnavailableError(msg)
            self._session.execute([job])
        if isinstance(job.outcome, DatabaseError):
            raise job.outcome
        return job.outcome

    async def close(self) -> None:
        """Execute what waits, and delete the database."""
        await asyncio.sleep(0)
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None
