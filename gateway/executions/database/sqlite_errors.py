"""Errors of SQLite as errors of the database layer."""

import sqlite3
from typing import Final, final

from gateway.executions.database.errors import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseStatementError,
    DatabaseUnavailableError,
)

__all__ = ("DatabaseFullError", "DatabaseLockedError", "DatabaseUnusableError", "map_exception")


@final
class DatabaseLockedError(DatabaseUnavailableError):
    """Another process holds the lock; nothing was executed."""


@final
class DatabaseFullError(DatabaseUnavailableError):
    """The disk is full; the transaction was not executed."""


@final
class DatabaseUnusableError(DatabaseUnavailableError):
    """The file cannot be opened or written: a refusal at the start, while in use it may be mended."""


_UNUSABLE: Final = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_NOTADB}
_UNAVAILABLE: Final = {
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}
_PRIMARY: Final = 0xFF
"""Bits of an extended result code that are the primary one: https://www.sqlite.org/rescode.html."""


def map_exception(error: Exception, name: str) -> DatabaseError:
    """Return the error for an exception of `sqlite3`, or of converting values, in the database *name*."""
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY:
        case sqlite3.SQLITE_BUSY:
            return DatabaseLockedError(f"{name} is locked by another process")
        case sqlite3.SQLITE_FULL:
            return DatabaseFullError(f"no space is left on the disk of {name}")
        case code if code in _UNUSABLE:
            return DatabaseUnusableError(f"{name}: {error}; the gateway must write the file and its folder")
        case code if code in _CORRUPT:
            return DatabaseCorruptError(f"{name} is damaged: {error}; restore it, or move it away")
        case code if code in _UNAVAILABLE:
            return DatabaseUnavailableError(f"{name}: {error}")
        case _:
            return DatabaseStatementError(f"{name} refused a statement: {error}")
