"""Database of the execution journal: SQLite or PostgreSQL.

- `errors`, `terms`: the errors; the interface, and the dialects of SQL.
- `url`: `create_database`, from the URL of a setting.
- `migrations`: `migrate` creates and changes tables.
- `sqlite`, `sqlite_file`, `sqlite_thread`, `sqlite_session`, `sqlite_errors`: a file, with group commit.
- `memory`: the same without a file and without a thread.
- `postgres`, `postgres_pool`, `postgres_errors`: a server; imported with its driver when it is used.
"""

from gateway.executions.database.errors import (
    DatabaseCorruptError,
    DatabaseError,
    DatabaseRefusedError,
    DatabaseStatementError,
    DatabaseUnavailableError,
)
from gateway.executions.database.migrations import migrate
from gateway.executions.database.terms import TIME_LIMIT, Database, Dialect, Row, Statement, Value
from gateway.executions.database.url import create_database

__all__ = (
    "TIME_LIMIT",
    "Database",
    "DatabaseCorruptError",
    "DatabaseError",
    "DatabaseRefusedError",
    "DatabaseStatementError",
    "DatabaseUnavailableError",
    "Dialect",
    "Row",
    "Statement",
    "Value",
    "create_database",
    "migrate",
)
