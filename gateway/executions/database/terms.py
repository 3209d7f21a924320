"""Interface of a database: the dialect of its SQL, statements, values and rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, final

__all__ = ("TIME_LIMIT", "Database", "Dialect", "Row", "Statement", "Value")

TIME_LIMIT: Final = 2.0
"""Seconds that a call may take, from the caller's point of view."""

Value: TypeAlias = str | int | float | bytes | None

Row: TypeAlias = tuple[Value, ...]


@final
@dataclass(frozen=True, slots=True)
class Dialect:
    """Fragments of SQL that differ between SQLite and PostgreSQL.

    - *name*: "SQLite" or "PostgreSQL".
    - *now*: expression for the time on the clock of the database, in seconds since 1970, a float.
    - *auto_key*: type and constraints of a primary key that counts upwards.
    - *integer*, *real*, *blob*: types of columns for 64-bit integers, floats and bytes; `text` is the same.
    - *exclusive*: statements that let one transaction at a time continue, until it ends. SQLite needs none.
    """

    name: str
    now: str
    auto_key: str
    integer: str
    real: str
    blob: str
    exclusive: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Statement:
    """Statement with its values: `$1` stands for the first one, in both databases.

    A *condition* that returns no rows ends its transaction, which is rolled back (see `Database.transact`).
    """

    sql: str
    values: tuple[Value, ...] = ()
    is_condition: bool = False


class Database(Protocol):
    """Database of a journal.

    `run` and `transact` may be called by tasks in several event loops. Both return within `TIME_LIMIT`, and
    raise `DatabaseUnavailableError` at the latest then. A statement that has not begun by then, or when its
    caller is cancelled, is never executed.

    They raise `DatabaseUnavailableError`, `DatabaseCorruptError` or `DatabaseStatementError`. They log
    nothing. After each of these errors a later call may succeed, without opening the database again.
    """

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database."""
        ...

    async def open(self) -> None:
        """Prepare for calls: create and check the file of SQLite; PostgreSQL is not connected yet.

        Raise `DatabaseRefusedError` or `DatabaseUnavailableError`. After the latter, calls may succeed later.
        """

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        """Execute one statement, atomically and durably; return the rows of a `select` or `returning`.

        A `select` needs no lock: it does not wait for writers.
        """
        ...

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        """Execute *statements* in one transaction; return the rows of each.

        If a condition among them returns no rows, roll back and return None.
        """

    async def close(self) -> None:
        """Finish the calls in progress, in `TIME_LIMIT` at most, and disconnect."""
