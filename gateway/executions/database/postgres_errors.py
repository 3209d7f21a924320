"""Errors of PostgreSQL as errors of the database layer."""

import psycopg
from psycopg import errors

from gateway.executions.database.errors import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseStatementError,
    DatabaseUnavailableError,
)

__all__ = ("map_exception",)


def map_exception(error: Exception) -> DatabaseError:
    """Return the error for an exception of psycopg, or of converting values.

    The text has the message of the server or of libpq; neither ever contains the password.
    """
    match error:
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return DatabaseCorruptError(f"the PostgreSQL database is damaged: {_describe(error)}")
        case psycopg.OperationalError() | errors.ReadOnlySqlTransaction():
            return DatabaseUnavailableError(f"PostgreSQL: {_describe(error)}")
        case errors.InsufficientPrivilege() | errors.InvalidSchemaName():  # an operator can grant permissions
            return DatabaseUnavailableError(f"PostgreSQL: {_describe(error)}")
        case psycopg.Error():
            return DatabaseStatementError(f"PostgreSQL refused a statement: {_describe(error)}")
        case _:
            return DatabaseStatementError(f"PostgreSQL was not sent a statement: {error}")


def _describe(error: psycopg.Error) -> str:
    """Return the message on one line, without the server's details, which contain values."""
    return " ".join((error.diag.message_primary or str(error)).split())
