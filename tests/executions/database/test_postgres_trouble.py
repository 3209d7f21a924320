"""Trouble with a PostgreSQL server: down at the start, stopped, suspended, slow, read-only, damaged."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

import pytest

from gateway.executions.database import (
    Database,
    DatabaseCorruptError,
    DatabaseUnavailableError,
    Row,
    create_database,
    migrate,
)
from gateway.executions.database.postgres import PostgresDatabase
from tests.executions.database.sqlite_files import overwrite
from tests.postgres import PASSWORD, PostgresServer

ADD = "insert into item (name) values ($1)"


@pytest.fixture
def schema(postgres: PostgresServer) -> str:
    return postgres.create_schema()


@pytest.fixture
async def database(postgres: PostgresServer, schema: str) -> AsyncIterator[Database]:
    opened = create_database(postgres.url(schema))
    await opened.open()
    await opened.run("create table item (name text primary key)")
    yield opened
    await opened.close()


@pytest.fixture
async def hasty(postgres: PostgresServer, schema: str) -> AsyncIterator[Database]:
    """A database for callers that wait for a short time only, on two connections at most."""
    opened = PostgresDatabase(postgres.url(schema), connections=2, time_limit=0.5)
    await opened.open()
    await opened.run("create table item (name text primary key)")
    yield opened
    await opened.close()


async def list_items(database: Database) -> Sequence[Row]:
    return await database.run("select name from item order by name")


def count_running(postgres: PostgresServer, sql: str) -> int:
    """Return how often the server executes *sql* at the moment."""
    return len(
        postgres.execute(f"select pid from pg_stat_activity where query = '{sql}' and state = 'active'")
    )


async def wait_until_running(postgres: PostgresServer, sql: str) -> None:
    while not count_running(postgres, sql):  # noqa: ASYNC110 - the event is in another process
        await asyncio.sleep(0.01)


async def find_reason(database: Database) -> str:
    """Return the reason why the database is unavailable; nothing but it was logged."""
    with pytest.raises(DatabaseUnavailableError) as caught:
        await database.run("select 1")
    return str(caught.value)


async def test_server_may_be_down_at_the_start(postgres: PostgresServer, schema: str) -> None:
    database = create_database(postgres.url(schema))
    with postgres.stopped():
        await database.open()
        with pytest.raises(DatabaseUnavailableError, match="Connection refused"):
            await migrate(database, [["create table item (name text)"]])
    await migrate(database, [["create table item (name text)"]])

    assert await list_items(database) == []
    await database.close()


async def test_stopped_server_is_used_again_after_its_start(
    postgres: PostgresServer, database: Database
) -> None:
    """The first call after the start succeeds: no connection from before it is used."""
    await asyncio.gather(*(database.run(ADD, f"{number}") for number in range(8)))
    with postgres.stopped():
        reason = await find_reason(database)
    await database.run(ADD, "a")

    assert "Connection refused" in reason
    assert len(await list_items(database)) == 9


async def test_call_in_progress_fails_when_the_server_stops(
    postgres: PostgresServer, database: Database
) -> None:
    call = asyncio.ensure_future(database.run("select pg_sleep(60)"))
    await wait_until_running(postgres, "select pg_sleep(60)")
    with postgres.stopped(), pytest.raises(DatabaseUnavailableError, match="terminating connection"):
        await call

    assert await list_items(database) == []


async def test_suspended_server_is_used_again(
    postgres: PostgresServer, hasty: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await hasty.run(ADD, "a")
    with postgres.suspended():
        reasons = await asyncio.gather(*(find_reason(hasty) for _ in range(5)))
    items = await list_items(hasty)

    assert {*reasons} == {"PostgreSQL has not answered within 0.5 s"}
    assert items == [("a",)]
    assert caplog.records == []


async def test_suspended_server_does_not_delay_closing(postgres: PostgresServer, hasty: Database) -> None:
    with postgres.suspended():
        call = asyncio.ensure_future(hasty.run("select 1"))
        await asyncio.sleep(0)
        await hasty.close()
        with pytest.raises(DatabaseUnavailableError):
            await call


async def test_silent_server_is_unavailable_at_the_start() -> None:
    """The server accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"postgresql://gateway@127.0.0.1:{server.getsockname()[1]}/postgres"
        database = create_database(url, time_limit=0.3)
        await database.open()
        reason = await find_reason(database)
        await database.close()

    assert reason == "PostgreSQL has not answered within 0.3 s"


async def test_slow_statement_is_cancelled_on_the_server(postgres: PostgresServer, hasty: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="has not answered"):
        await hasty.run("select pg_sleep(61)")

    assert count_running(postgres, "select pg_sleep(61)") == 0


async def test_cancelled_statement_is_cancelled_on_the_server(
    postgres: PostgresServer, database: Database
) -> None:
    call = asyncio.ensure_future(database.run("select pg_sleep(62)"))
    await wait_until_running(postgres, "select pg_sleep(62)")
    call.cancel()
    await asyncio.wait([call])

    assert call.cancelled()
    assert count_running(postgres, "select pg_sleep(62)") == 0


async def test_calls_wait_for_a_free_connection(hasty: Database) -> None:
    await asyncio.gather(*(hasty.run(ADD, f"{number}") for number in range(20)))

    assert len(await list_items(hasty)) == 20


async def test_call_that_finds_no_free_connection_is_unavailable(hasty: Database) -> None:
    sleeping = [asyncio.ensure_future(hasty.run("select pg_sleep(63)")) for _ in range(2)]
    await asyncio.sleep(0)
    reason = await find_reason(hasty)
    await asyncio.gather(*sleeping, return_exceptions=True)

    assert reason == "PostgreSQL has not answered within 0.5 s"
    assert await list_items(hasty) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "gateway"'),
        ({"database": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
async def test_refused_connection_has_its_reason(
    postgres: PostgresServer, change: dict[str, str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = create_database(postgres.url(**change))
    await database.open()
    found = await find_reason(database)
    await database.close()

    assert reason in found
    assert "\n" not in found
    assert not any(secret in found for secret in (PASSWORD, "s3cret", "wrong"))
    assert caplog.records == []


async def test_read_only_server_is_unavailable(
    postgres: PostgresServer, schema: str, database: Database
) -> None:
    await database.run(ADD, "a")
    standby = create_database(postgres.url(schema, options="-cdefault_transaction_read_only=on"))
    await standby.open()
    with pytest.raises(DatabaseUnavailableError, match="PostgreSQL: cannot execute INSERT in a read-only"):
        await standby.run(ADD, "b")

    assert await list_items(standby) == [("a",)]
    await standby.close()


async def test_missing_permission_is_unavailable(postgres: PostgresServer, schema: str) -> None:
    postgres.execute(f"create role {schema}_guest login password 'guest'")
    guest = create_database(postgres.url(schema, user=f"{schema}_guest", password="guest"))  # noqa: S106
    await guest.open()
    with pytest.raises(DatabaseUnavailableError, match="PostgreSQL: no schema has been selected"):
        await guest.run("create table item (name text)")
    postgres.execute(f"grant usage on schema {schema} to {schema}_guest")
    with pytest.raises(DatabaseUnavailableError, match=f"PostgreSQL: permission denied for schema {schema}"):
        await guest.run("create table item (name text)")
    postgres.execute(f"grant all on schema {schema} to {schema}_guest")

    await guest.run("create table item (name text)")
    await guest.close()


async def test_damaged_table_is_corrupt(postgres: PostgresServer, schema: str, database: Database) -> None:
    await database.run(ADD, "a")
    file = postgres.find_file(f"{schema}.item")
    with postgres.stopped():
        overwrite(file, 0, b"garbage!" * 1024)
    for _ in range(2):
        with pytest.raises(DatabaseCorruptError, match="the PostgreSQL database is damaged: invalid page"):
            await list_items(database)


async def test_database_in_sql_ascii_returns_text(postgres: PostgresServer) -> None:
    """The default encoding of a server in the locale C, where psycopg would return bytes."""
    name = postgres.create_schema()
    postgres.execute(f"create database {name} encoding 'SQL_ASCII' template template0 locale 'C'")
    opened = create_database(postgres.url(database=name))
    await opened.open()

    assert await opened.run("select $1::text, 'caf\u00e9'", "d\u00e9j\u00e0 vu") == [
        ("d\u00e9j\u00e0 vu", "caf\u00e9")
    ]
    await opened.close()
