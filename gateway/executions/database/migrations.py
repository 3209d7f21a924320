"""Migrations: numbered groups of statements that create and change the tables of a journal."""

from collections.abc import Sequence
from typing import Final

from gateway.executions.database.errors import DatabaseRefusedError, DatabaseStatementError
from gateway.executions.database.terms import Database, Statement

__all__ = ("migrate",)

_CREATE: Final = """create table if not exists gateway_schema_version
  (name text primary key, version {integer} not null)"""
_ADD: Final = (
    "insert into gateway_schema_version (name, version) values ($1, 0) on conflict (name) do nothing"
)
_FIND: Final = "select version from gateway_schema_version where name = $1"
_ADVANCE: Final = """update gateway_schema_version set version = version + 1
  where name = $1 and version = $2 returning version"""


async def migrate(
    database: Database, migrations: Sequence[Sequence[str]], *, name: str = "executions"
) -> None:
    """Execute those of *migrations* that *database* does not have yet, each in a transaction of its own.

    The table `gateway_schema_version` has a row for each *name*, with the number of its migrations. Several
    processes may migrate at once: each migration is executed once. After an error, call it again.

    Raise `DatabaseRefusedError` if the database has more migrations: a newer gateway has made them. Raise
    `DatabaseUnavailableError` or `DatabaseCorruptError` as the database does.
    """
    while (version := await _read_version(database, name)) < len(migrations):
        advance = Statement(_ADVANCE, (name, version), is_condition=True)
        await database.transact(advance, *map(Statement, migrations[version]))
    if version > len(migrations):
        msg = (
            f"the {database.dialect.name} database has version {version} of the schema {name!r}, "
            f"this gateway knows {len(migrations)}; upgrade the gateway, or use another database"
        )
        raise DatabaseRefusedError(msg)


async def _read_version(database: Database, name: str) -> int:
    try:
        rows = await database.run(_FIND, name)
    except DatabaseStatementError:  # there is no table yet
        rows = ()
    if rows:
        return int(rows[0][0] or 0)
    dialect = database.dialect
    # PostgreSQL's "if not exists" fails if two transactions create the table at once.
    await database.transact(
        *map(Statement, dialect.exclusive),
        Statement(_CREATE.format(integer=dialect.integer)),
        Statement(_ADD, (name,)),
    )
    return 0
