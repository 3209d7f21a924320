"""Execution of jobs on a connection to SQLite, with group commit."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, final

from gateway.executions.database.errors import DatabaseError, DatabaseStatementError
from gateway.executions.database.sqlite_errors import DatabaseFullError, DatabaseLockedError, map_exception
from gateway.executions.database.terms import Row, Statement, Value

__all__ = ("Job", "Outcome", "Source", "SqliteSession")

Outcome: TypeAlias = Sequence[Sequence[Row]] | DatabaseError | None
"""Rows of each statement, None if a condition was not met, or an error."""


class Source(Protocol):
    """Source of connections."""

    @property
    def name(self) -> str:
        """The name of the database, for messages."""
        ...

    def connect(self) -> sqlite3.Connection:
        """Return a new connection, in autocommit mode."""
        ...

    def check(self) -> None:
        """Raise `DatabaseError` if the connection must not be used any more."""


@dataclass(slots=True, eq=False)
class Job:
    """Statements of a transaction; a job without statements only takes the lock for writing.

    - *is_read*: true if the job is one `select`.
    - *deadline*: time on the monotonic clock after which the job must not begin.
    - *is_abandoned*: true if the caller has gone: the job must not begin.
    - *is_done*, *outcome*: true once there is an outcome.
    - *obstacle*: the reason why the job has to wait.
    """

    statements: Sequence[Statement]
    is_read: bool
    deadline: float
    is_abandoned: bool = field(default=False, init=False)
    is_done: bool = field(default=False, init=False)
    outcome: Outcome = field(default=None, init=False)
    obstacle: str | None = field(default=None, init=False)

    def is_dead(self) -> bool:
        """Return True if the job must not begin any more."""
        return self.is_abandoned or time.monotonic() >= self.deadline

    def end(self, outcome: Outcome) -> None:
        """Record the outcome."""
        self.outcome, self.is_done = outcome, True


@final
class SqliteSession:
    """Executes jobs on one connection at a time, which is opened when it is needed, and again after trouble.

    Only one thread at a time may use the session.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._connection: sqlite3.Connection | None = None

    def execute(self, jobs: Sequence[Job]) -> None:
        """Execute *jobs*: first those that only read, without a lock, then all others in one transaction.

        A job that fails does not affect the others. A job that is not done afterwards was not executed,
        because another process holds the lock.
        """
        if not self._open(jobs):
            return
        for job in jobs:
            if job.is_read:
                self._attempt(self._read, [job])
        writes = [job for job in jobs if not job.is_read]
        if writes and not self._attempt(self._write, writes):
            for job in writes:
                self._attempt(self._write, [job])

    def close(self) -> None:
        """Close the connection; the next job opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, jobs: Sequence[Job]) -> bool:
        """Open the connection unless it is open; return False if *jobs* have failed because it cannot be."""
        try:
            self._connect()
        except Exception as error:  # noqa: BLE001 - the thread must survive
            self._fail(jobs, self._map(error))
            return False
        return True

    def _attempt(
        self, action: Callable[[sqlite3.Connection, Sequence[Job]], None], jobs: Sequence[Job]
    ) -> bool:
        """Execute *jobs* by *action*; return False if each of them may succeed alone."""
        try:
            action(self._connect(), jobs)
        except Exception as caught:  # noqa: BLE001 - the thread must survive whatever a statement raises
            error = self._map(caught)
            if len(jobs) > 1 and isinstance(error, (DatabaseFullError, DatabaseStatementError)):
                return False
            self._fail(jobs, error)
        return True

    def _fail(self, jobs: Sequence[Job], error: DatabaseError) -> None:
        """Record *error*; jobs that it has not failed but only delayed are not done."""
        if isinstance(error, DatabaseLockedError):
            for job in jobs:
                job.obstacle = str(error)
            return
        if not isinstance(error, (DatabaseFullError, DatabaseStatementError)):
            self.close()
        for job in jobs:
            job.end(type(error)(str(error)))  # one for each: an exception belongs to the task that raises it

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._source.connect()
        else:
            self._source.check()
        return self._connection

    def _read(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if not job.is_dead():
                job.end(self._run(connection, job))

    def _write(self, connection: sqlite3.Connection, jobs: Sequence[Job]) -> None:
        connection.execute("begin immediate")
        try:
            ended = [(job, self._run(connection, job)) for job in jobs if not job.is_dead()]
            connection.execute("commit")
        except BaseException:
            connection.rollback()
            raise
        for job, outcome in ended:
            job.end(outcome)

    def _run(self, connection: sqlite3.Connection, job: Job) -> Outcome:
        """Execute the statements of *job*; raise `DatabaseError` if that ends the transaction of all jobs."""
        had_transaction = connection.in_transaction
        try:
            if len(job.statements) == 1 and not job.statements[0].is_condition:
                return (_execute(connection, job.statements[0]),)
            return _execute_all(connection, job.statements)
        except Exception as error:
            mapped = self._map(error)
            if isinstance(mapped, DatabaseStatementError) and connection.in_transaction is had_transaction:
                return mapped  # it has changed nothing: https://www.sqlite.org/lang_conflict.html (ABORT)
            raise mapped from error

    def _map(self, error: Exception) -> DatabaseError:
        return error if isinstance(error, DatabaseError) else map_exception(error, self._source.name)


def _execute(connection: sqlite3.Connection, statement: Statement) -> Sequence[Row]:
    return connection.execute(statement.sql, _name(statement.values)).fetchall()


def _execute_all(connection: sqlite3.Connection, statements: Iterable[Statement]) -> Outcome:
    """Execute *statements*; undo all their changes unless all succeed and all conditions are met."""
    connection.execute("savepoint job")
    try:
        results = _execute_each(connection, statements)
    except BaseException:
        if connection.in_transaction:  # some errors end it
            connection.execute("rollback to job")
            connection.execute("release job")
        raise
    if results is None:
        connection.execute("rollback to job")
    connection.execute("release job")
    return results


def _execute_each(
    connection: sqlite3.Connection, statements: Iterable[Statement]
) -> Sequence[Sequence[Row]] | None:
    results: list[Sequence[Row]] = []
    for statement in statements:
        results.append(_execute(connection, statement))
        if statement.is_condition and not results[-1]:
            return None
    return results


def _name(values: Iterable[Value]) -> dict[str, Value]:
    """Return the values by the names of their placeholders; the name of `$1` is 1.

    Python 3.12 deprecates a sequence of values for `$1`, which SQLite counts as a named placeholder.
    """
    return {str(number): value for number, value in enumerate(values, 1)}
