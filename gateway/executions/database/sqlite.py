"""SQLite as the database of a journal."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from gateway.executions.database.errors import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseUnavailableError,
)
from gateway.executions.database.sqlite_errors import DatabaseUnusableError
from gateway.executions.database.sqlite_file import SqliteFile
from gateway.executions.database.sqlite_session import Outcome, SqliteSession
from gateway.executions.database.sqlite_thread import SqliteThread, WaitingJob
from gateway.executions.database.terms import TIME_LIMIT, Dialect, Row, Statement, Value

__all__ = ("SQLITE", "SqliteDatabase", "is_read")

SQLITE: Final = Dialect(
    name="SQLite",
    now="((julianday('now') - 2440587.5) * 86400.0)",
    auto_key="integer primary key autoincrement",
    integer="integer",
    real="real",
    blob="blob",
    exclusive=(),
)
"""Dialect of SQLite; its clock has a resolution of a millisecond."""


@final
class SqliteDatabase:
    """SQLite database in the file at *path*, for one process or several on one machine.

    A thread executes the statements. A commit is on the disk before its callers continue
    (`synchronous = full`), and all that waits meanwhile is the next commit.
    """

    def __init__(self, path: Path, *, time_limit: float = TIME_LIMIT) -> None:
        self.dialect = SQLITE
        self._file: Final = SqliteFile(path)
        self._time_limit: Final = time_limit
        self._thread: SqliteThread | None = None

    async def open(self) -> None:
        """Create the file if necessary, and check that it can be read and written."""
        if self._thread is None:
            self._thread = SqliteThread(SqliteSession(self._file))
            self._thread.start()
        try:
            await self._execute((), is_read=False)
        except (DatabaseCorruptError, DatabaseUnusableError) as error:
            await self.close()
            raise DatabaseRefusedError(str(error)) from error

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        """Execute one statement."""
        results = await self._execute((Statement(sql, values),), is_read=is_read(sql))
        return results[0] if results else ()

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        """Execute *statements* in one transaction."""
        return await self._execute(statements, is_read=False)

    async def close(self) -> None:
        """Execute what waits, and close the file; the thread is a daemon and is left behind if it hangs."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        thread.stop(waiter)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._time_limit):
                await waiter

    async def _execute(
        self, statements: Sequence[Statement], *, is_read: bool
    ) -> Sequence[Sequence[Row]] | None:
        if self._thread is None:
            msg = f"{self._file.name} is not open"
            raise DatabaseUnavailableError(msg)
        waiter: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        job = WaitingJob(statements, is_read, time.monotonic() + self._time_limit, waiter)
        self._thread.submit(job)
        try:
            async with asyncio.timeout(self._time_limit):
                outcome = await waiter
        except TimeoutError:
            reason = job.obstacle or f"{self._file.name} has not answered within {self._time_limit:g} s"
            raise DatabaseUnavailableError(reason) from None
        finally:
            job.is_abandoned = True
        if isinstance(outcome, DatabaseError):
            raise outcome
        return outcome


def is_read(sql: str) -> bool:
    """Return True if the statement is a `select`, which needs no lock."""
    return sql.lstrip()[:6].lower() == "select"
