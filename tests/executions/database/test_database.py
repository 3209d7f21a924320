"""Behaviour that all databases share: statements, transactions, cancellation, several loops."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
import uvloop

from gateway.executions.database import (
    Database,
    DatabaseStatementError,
    DatabaseUnavailableError,
    Row,
    Statement,
    Value,
    create_database,
)

ADD = "insert into item (name, amount) values ($1, $2)"


async def list_items(database: Database) -> Sequence[Row]:
    return await database.run("select name, amount from item order by name")


async def test_returning_gives_rows(database: Database) -> None:
    rows = await database.run(f"{ADD} returning name, amount", "a", 1)

    assert rows == [("a", 1)]


async def test_statement_without_rows_gives_none(database: Database) -> None:
    assert not await database.run(ADD, "a", 1)
    assert await list_items(database) == [("a", 1)]


async def test_placeholders_are_numbered(database: Database) -> None:
    rows = await database.run("select cast($2 as text), cast($1 as text), cast($2 as text)", "a", "b")

    assert rows == [("b", "a", "b")]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "Zürich 🚀 $1 %s ?"),
        ("integer", -(2**63)),
        ("integer", 2**63 - 1),
        ("real", 0.1),
        ("real", 1795969395.108009),
        ("blob", b"\0\xff'"),
        ("text", None),
    ],
)
async def test_value_is_stored_exactly(database: Database, kind: str, value: Value) -> None:
    column = getattr(database.dialect, kind, kind)
    await database.run(f"create table sample (value {column})")
    await database.run("insert into sample values ($1)", value)

    assert await database.run("select value from sample") == [(value,)]


async def test_auto_key_counts_upwards(database: Database) -> None:
    await database.run(f"create table entry (number {database.dialect.auto_key}, name text)")
    keys = [
        await database.run("insert into entry (name) values ($1) returning number", "a") for _ in range(2)
    ]
    await database.run("delete from entry")
    keys.append(await database.run("insert into entry (name) values ($1) returning number", "a"))

    assert keys == [[(1,)], [(2,)], [(3,)]]


async def test_clock_of_database_counts_seconds_since_1970(database: Database) -> None:
    before = time.time()
    ((now,),) = await database.run(f"select {database.dialect.now}")

    assert isinstance(now, float)
    assert before - 1 < now < time.time() + 1


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (ADD, ("secret", -1)),
        (ADD, ("secret", 2**80)),
        (ADD, ("secret\ud800", 1)),
        ("insert into nowhere values ($1)", ("secret",)),
        ("nonsense", ()),
    ],
)
async def test_refused_statement_is_an_error(database: Database, sql: str, values: tuple[Value, ...]) -> None:
    with pytest.raises(DatabaseStatementError) as caught:
        await database.run(sql, *values)

    assert "secret" not in str(caught.value)
    assert await list_items(database) == []


async def test_refused_read_is_an_error(database: Database) -> None:
    with pytest.raises(DatabaseStatementError, match="nowhere"):
        await database.run("select * from nowhere")

    assert await list_items(database) == []


async def test_refused_statement_does_not_affect_others(database: Database) -> None:
    names = ["a", "b", "a", "c"]
    outcomes = await asyncio.gather(*(database.run(ADD, name, 1) for name in names), return_exceptions=True)

    assert [isinstance(outcome, DatabaseStatementError) for outcome in outcomes].count(True) == 1
    assert await list_items(database) == [("a", 1), ("b", 1), ("c", 1)]


async def test_many_calls_at_once(database: Database) -> None:
    await asyncio.gather(*(database.run(ADD, f"{number:03}", number) for number in range(200)))

    assert await list_items(database) == [(f"{number:03}", number) for number in range(200)]


async def test_transaction_returns_rows_of_each_statement(database: Database) -> None:
    results = await database.transact(
        Statement(ADD, ("a", 1)),
        Statement("update item set amount = amount + 1 returning amount", is_condition=True),
        Statement("select name from item"),
    )

    assert results is not None
    assert [list(rows) for rows in results] == [[], [(2,)], [("a",)]]


async def test_refused_statement_undoes_its_transaction(database: Database) -> None:
    with pytest.raises(DatabaseStatementError):
        await database.transact(Statement(ADD, ("a", 1)), Statement(ADD, ("b", -1)))

    assert await list_items(database) == []


async def test_unmet_condition_undoes_its_transaction(database: Database) -> None:
    results = await database.transact(
        Statement(ADD, ("a", 1)),
        Statement("update item set amount = 2 where name = 'b' returning name", is_condition=True),
        Statement(ADD, ("c", 1)),
    )

    assert results is None
    assert await list_items(database) == []


async def test_unmet_condition_does_not_affect_others(database: Database) -> None:
    unmet = Statement("update item set amount = 2 where name = 'b' returning name", is_condition=True)
    results = await asyncio.gather(
        database.run(ADD, "a", 1),
        database.transact(Statement(ADD, ("x", 1)), unmet),
        database.run(ADD, "c", 1),
    )

    assert results[1] is None
    assert await list_items(database) == [("a", 1), ("c", 1)]


async def test_transaction_with_one_condition(database: Database) -> None:
    add = Statement(f"{ADD} on conflict do nothing returning name", ("a", 1), is_condition=True)

    assert await database.transact(add) == [[("a",)]]
    assert await database.transact(add) is None


async def test_database_survives_a_storm_of_cancellations(database: Database) -> None:
    """Callers that are cancelled at any point leave no connection, lock or transaction behind."""

    async def cancel(turns: int) -> None:
        task = asyncio.ensure_future(database.run(ADD, f"{turns}", 1))
        for _ in range(turns % 60):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    for start in range(0, 600, 60):
        await asyncio.gather(*(cancel(start + turns) for turns in range(60)))

    await database.run("delete from item")
    await asyncio.gather(*(database.run(ADD, f"{number}", 1) for number in range(20)))
    assert len(await list_items(database)) == 20


async def test_calls_from_several_event_loops(database: Database) -> None:
    def call(loop: asyncio.AbstractEventLoop, name: str) -> None:
        async def add_all() -> None:
            await asyncio.gather(*(database.run(ADD, f"{name}{number}", 1) for number in range(5)))

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(add_all())

    loops = [asyncio.SelectorEventLoop(), uvloop.new_event_loop()]
    threads = [
        threading.Thread(target=call, args=(loop, name)) for loop, name in zip(loops, "ab", strict=True)
    ]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(database.run(ADD, f"c{number}", 1) for number in range(5)))
    for thread in threads:
        thread.join()

    assert len(await list_items(database)) == 15


async def test_closed_database_refuses_calls(database: Database) -> None:
    await database.close()
    await database.close()

    with pytest.raises(DatabaseUnavailableError, match="not open"):
        await database.run("select 1")


async def test_close_finishes_calls_in_progress(database: Database) -> None:
    calls = [asyncio.ensure_future(database.run(f"{ADD} returning amount", f"{n}", n)) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()

    assert [list(rows) for rows in await asyncio.gather(*calls)] == [[(n,)] for n in range(20)]


async def test_database_can_be_opened_twice(database: Database) -> None:
    await database.run(ADD, "a", 1)
    await database.open()

    assert await list_items(database) == [("a", 1)]


async def test_contents_survive_closing(url: str) -> None:
    database = create_database(url)
    await database.open()
    await database.run("create table item (name text)")
    await database.run("insert into item values ('a')")
    await database.close()
    await database.open()

    assert await database.run("select name from item") == [("a",)]
    await database.close()
