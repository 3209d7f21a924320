"""Migrations on both databases, also by several processes at once."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Final

import pytest

from gateway.executions.database import (
    Database,
    DatabaseRefusedError,
    DatabaseStatementError,
    create_database,
    migrate,
)

MIGRATIONS: Final = (
    ("create table item (name text)", "insert into item values ('first')"),
    ("alter table item add column amount integer", "insert into item values ('second', 2)"),
    ("insert into item values ('third', 3)",),
)


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Database]:
    database = create_database(url)
    await database.open()
    yield database
    await database.close()


async def list_items(database: Database) -> list[object]:
    return [name for (name,) in await database.run("select name from item order by name")]


async def test_migrations_are_executed_once(opened: Database) -> None:
    await migrate(opened, MIGRATIONS)
    await migrate(opened, MIGRATIONS)

    assert await list_items(opened) == ["first", "second", "third"]


async def test_new_migrations_are_added(opened: Database) -> None:
    await migrate(opened, MIGRATIONS[:1])
    await migrate(opened, MIGRATIONS)

    assert await list_items(opened) == ["first", "second", "third"]


async def test_newer_schema_is_refused(opened: Database) -> None:
    await migrate(opened, MIGRATIONS)

    with pytest.raises(DatabaseRefusedError, match=r"version 3 .* knows 2; upgrade the gateway"):
        await migrate(opened, MIGRATIONS[:2])


async def test_failed_migration_leaves_nothing_behind(opened: Database) -> None:
    broken = (*MIGRATIONS[:2], ("insert into item values ('third', 3)", "nonsense"))
    with pytest.raises(DatabaseStatementError):
        await migrate(opened, broken)
    before = await list_items(opened)
    await migrate(opened, MIGRATIONS)

    assert before == ["first", "second"]
    assert await list_items(opened) == ["first", "second", "third"]


async def test_schemas_have_versions_of_their_own(opened: Database) -> None:
    await migrate(opened, MIGRATIONS)
    await migrate(opened, [["create table other (name text)"]], name="other")

    assert await opened.run("select name, version from gateway_schema_version order by name") == [
        ("executions", 3),
        ("other", 1),
    ]


async def test_tasks_migrate_at_once(opened: Database) -> None:
    await asyncio.gather(*(migrate(opened, MIGRATIONS) for _ in range(8)))

    assert await list_items(opened) == ["first", "second", "third"]


async def test_processes_migrate_at_once(opened: Database, url: str) -> None:
    program = f"""
import asyncio, sys
from gateway.executions.database import create_database, migrate
async def main():
    database = create_database({url!r})
    print("ready", flush=True)
    sys.stdin.readline()
    await database.open()
    await migrate(database, {MIGRATIONS!r})
    await database.close()
asyncio.run(main())
"""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert await list_items(opened) == ["first", "second", "third"]
