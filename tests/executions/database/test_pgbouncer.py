"""PostgreSQL behind PgBouncer, which gives each transaction one of a few connections to the server."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gateway.executions.database import Database, Statement, create_database, migrate
from tests.postgres import PostgresServer, run_pgbouncer

ADD = "insert into item (name, amount) values ($1, $2)"


@pytest.fixture(scope="module")
def address(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a database with two connections, which all transactions share."""
    postgres.execute("create database pooled")
    with run_pgbouncer(postgres, "pooled", 2) as url:
        yield url


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    opened = create_database(address)
    await opened.open()
    await opened.run("drop table if exists item, gateway_schema_version")
    await migrate(opened, [["create table item (name text primary key, amount integer)"]])
    yield opened
    await opened.close()


async def test_statements_behind_pgbouncer(database: Database) -> None:
    await asyncio.gather(*(database.run(ADD, f"{number:03}", number) for number in range(100)))

    assert await database.run("select name, amount from item order by name") == [
        (f"{number:03}", number) for number in range(100)
    ]


async def test_transactions_behind_pgbouncer(database: Database) -> None:
    await database.run(ADD, "a", 0)
    count = "update item set amount = amount + 1 where name = 'a' and amount < $1 returning amount"
    results = await asyncio.gather(
        *(
            database.transact(Statement(count, (5,), is_condition=True), Statement(ADD, (f"{number}", 1)))
            for number in range(20)
        )
    )

    assert [result is None for result in results].count(False) == 5
    assert await database.run("select count(*) from item") == [(6,)]
