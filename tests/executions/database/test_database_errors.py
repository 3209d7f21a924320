"""Errors of the drivers as errors of the database layer: each error of a driver has its kind."""

import sqlite3
from collections.abc import Mapping
from typing import Final

import psycopg
import pytest
from psycopg import errors

from gateway.executions.database import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseStatementError,
    DatabaseUnavailableError,
    postgres_errors,
    sqlite_errors,
)
from gateway.executions.database.sqlite_errors import (
    DatabaseFullError,
    DatabaseLockedError,
    DatabaseUnusableError,
)

# fmt: off
SQLITE_CODES: Final[Mapping[type[DatabaseError], tuple[str, ...]]] = {
    DatabaseCorruptError: ("CORRUPT", "FORMAT", "NOTADB"),
    DatabaseFullError: ("FULL",),
    DatabaseLockedError: ("BUSY",),
    DatabaseUnavailableError: ("INTERRUPT", "IOERR", "NOLFS", "NOMEM", "PROTOCOL"),
    DatabaseUnusableError: ("CANTOPEN", "PERM", "READONLY"),
    DatabaseStatementError: (
        "ABORT", "AUTH", "CONSTRAINT", "EMPTY", "ERROR", "INTERNAL", "LOCKED", "MISMATCH", "MISUSE",
        "NOTFOUND", "RANGE", "SCHEMA", "TOOBIG",
    ),
}
# fmt: on
"""The primary result codes that are errors: https://www.sqlite.org/rescode.html."""

UNAVAILABLE_STATES: Final = ("08", "25006", "28", "3F000", "40", "42501", "53", "57", "58")
"""Beginnings of the SQLSTATEs that mean that PostgreSQL is unavailable."""

STATEMENT_STATES: Final = ("0A", "21", "22", "23", "26", "34", "42601", "42703", "42P01", "44")
"""Beginnings of SQLSTATEs that mean that a statement is at fault."""


def list_states(*beginnings: str) -> list[type[psycopg.Error]]:
    """Return the exceptions of psycopg whose SQLSTATE has one of *beginnings*."""
    kinds: list[type[psycopg.Error]] = [psycopg.Error]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return [kind for kind in kinds if (kind.sqlstate or "").startswith(beginnings)]


@pytest.mark.parametrize("kind", SQLITE_CODES)
def test_sqlite_error_has_its_kind(kind: type[DatabaseError]) -> None:
    for name in SQLITE_CODES[kind]:
        error = sqlite3.OperationalError("some trouble")
        error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{name}") | 3 << 8  # an extended code
        assert type(sqlite_errors.map_exception(error, "journal.sqlite")) is kind


def test_every_sqlite_error_has_a_kind() -> None:
    codes = [getattr(sqlite3, f"SQLITE_{name}") for names in SQLITE_CODES.values() for name in names]

    assert sorted(codes) == [*range(1, 27)]


def test_error_without_a_code_is_that_of_a_statement() -> None:
    error = sqlite_errors.map_exception(OverflowError("int too large"), "journal.sqlite")

    assert type(error) is DatabaseStatementError
    assert str(error) == "journal.sqlite refused a statement: int too large"


@pytest.mark.parametrize("kind", list_states(*UNAVAILABLE_STATES))
def test_state_of_postgresql_is_unavailable(kind: type[psycopg.Error]) -> None:
    assert type(postgres_errors.map_exception(kind("some trouble"))) is DatabaseUnavailableError


@pytest.mark.parametrize("kind", list_states(*STATEMENT_STATES))
def test_state_of_postgresql_is_that_of_a_statement(kind: type[psycopg.Error]) -> None:
    assert type(postgres_errors.map_exception(kind("some trouble"))) is DatabaseStatementError


@pytest.mark.parametrize("kind", [errors.DataCorrupted, errors.IndexCorrupted])
def test_damage_of_postgresql_is_corrupt(kind: type[psycopg.Error]) -> None:
    error = postgres_errors.map_exception(kind("invalid page\nin block 0"))

    assert type(error) is DatabaseCorruptError
    assert str(error) == "the PostgreSQL database is damaged: invalid page in block 0"
