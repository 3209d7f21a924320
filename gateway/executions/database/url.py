"""URL of a database."""

from pathlib import Path
from typing import Final

from gateway.executions.database.errors import DatabaseRefusedError
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.database.sqlite import SqliteDatabase
from gateway.executions.database.terms import TIME_LIMIT, Database

__all__ = ("check_database_url", "create_database")

_FORMS: Final = (
    "expected sqlite:///FILE, sqlite:////ABSOLUTE/FILE, sqlite:///:memory: or "
    "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
)


def create_database(url: str, *, time_limit: float = TIME_LIMIT) -> Database:
    """Return the database at *url*, unopened, whose calls take *time_limit* seconds at most.

    Raise `DatabaseRefusedError` if *url* is not valid, or if the driver of PostgreSQL is not installed. No
    message contains a part of *url*, which may contain a password.
    """
    if url == "sqlite:///:memory:":
        return MemoryDatabase()
    if url.startswith("sqlite:///") and not url.endswith("/") and "?" not in url:
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")), time_limit=time_limit)
    if url.startswith("postgresql://"):
        return _create_postgres(url, time_limit)
    raise DatabaseRefusedError(_FORMS)


def check_database_url(url: str) -> None:
    """Raise `ValueError`, without a part of *url*, unless `create_database` takes it."""
    try:
        create_database(url)
    except DatabaseRefusedError as error:
        raise ValueError(str(error)) from None


def _create_postgres(url: str, time_limit: float) -> Database:
    try:
        from gateway.executions.database.postgres import PostgresDatabase  # noqa: PLC0415 - optional driver
    except ImportError as error:
        msg = f"PostgreSQL needs a driver: pip install 'fanout-gateway[postgres]' ({error})"
        raise DatabaseRefusedError(msg) from error
    return PostgresDatabase(url, time_limit=time_limit)
