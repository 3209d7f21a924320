"""Trouble with the file of a SQLite database while it is in use, and recovery from it."""

import asyncio
import resource
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.executions.database import (
    Database,
    DatabaseCorruptError,
    DatabaseStatementError,
    DatabaseUnavailableError,
    Row,
    Statement,
    create_database,
)
from tests.executions.database.sqlite_files import acting_unprivileged, connected, execute, locked, overwrite

LIMIT: Final = 0.3
"""Seconds that a call may take in these tests."""

GARBAGE: Final = b"garbage!" * 512
"""Content of a damaged page."""

ADD: Final = "insert into item (name) values ($1)"


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in a folder that every user may enter and write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder / "journal.sqlite"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    opened = create_database(f"sqlite:///{path}", time_limit=LIMIT)
    await opened.open()
    await opened.run("create table item (name text primary key)")
    yield opened
    await opened.close()


async def list_items(database: Database) -> Sequence[Row]:
    return await database.run("select name from item order by name")


@contextmanager
def file_size_limited(size: int) -> Generator[None]:
    """Let writes beyond *size* bytes of any file fail for the time of the block."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_locked_file_is_unavailable(path: Path, database: Database) -> None:
    with (
        locked(path),
        pytest.raises(DatabaseUnavailableError, match=r"journal.sqlite is locked by another process"),
    ):
        await database.run(ADD, "a")
    await database.run(ADD, "b")

    assert await list_items(database) == [("b",)]


async def test_reads_do_not_wait_for_the_lock(path: Path, database: Database) -> None:
    await database.run(ADD, "a")
    with locked(path):
        write = asyncio.ensure_future(database.run(ADD, "b"))
        await asyncio.sleep(0)
        items = [await list_items(database) for _ in range(3)]
        is_done = write.done()
    await write

    assert items == [[("a",)]] * 3
    assert not is_done


async def test_write_continues_when_the_lock_is_released(path: Path, database: Database) -> None:
    with locked(path):
        writes = [asyncio.ensure_future(database.run(ADD, name)) for name in "abc"]
        await list_items(database)
    await asyncio.gather(*writes)

    assert await list_items(database) == [("a",), ("b",), ("c",)]


async def test_given_up_statement_is_never_executed(path: Path, database: Database) -> None:
    with locked(path):
        outcomes = await asyncio.gather(*(database.run(ADD, name) for name in "abc"), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {DatabaseUnavailableError}
    assert await list_items(database) == []


async def test_cancelled_statement_is_never_executed(path: Path, database: Database) -> None:
    with locked(path):
        write = asyncio.ensure_future(database.run(ADD, "a"))
        await list_items(database)
        write.cancel()
        await asyncio.wait([write])
    await database.run(ADD, "b")

    assert await list_items(database) == [("b",)]


async def test_loop_may_be_closed_before_its_call_ends(path: Path, database: Database) -> None:
    async def begin() -> "asyncio.Task[Sequence[Row]]":
        task = asyncio.ensure_future(database.run(ADD, "a"))
        await asyncio.sleep(0)
        return task

    def begin_in_closed_loop() -> "asyncio.Task[Sequence[Row]]":
        loop = asyncio.SelectorEventLoop()
        task = loop.run_until_complete(begin())
        loop.close()
        return task

    with locked(path):
        task = await asyncio.to_thread(begin_in_closed_loop)
    await database.run(ADD, "b")

    assert not task.done()
    assert await list_items(database) == [("a",), ("b",)]


async def test_locked_file_is_unavailable_at_the_start(path: Path) -> None:
    database = create_database(f"sqlite:///{path}", time_limit=LIMIT)
    with locked(path), pytest.raises(DatabaseUnavailableError, match="is locked by another process"):
        await database.open()

    assert await database.run("select 1") == [(1,)]
    await database.close()


async def test_close_does_not_wait_for_the_lock_for_long(path: Path, database: Database) -> None:
    with locked(path):
        write = asyncio.ensure_future(database.run(ADD, "a"))
        await asyncio.sleep(0)
        await database.close()
        with pytest.raises(DatabaseUnavailableError):
            await write

    with connected(path) as connection:
        assert connection.execute("select * from item").fetchall() == []


async def test_full_disk_is_unavailable(database: Database) -> None:
    await database.run("pragma max_page_count = 20")
    with pytest.raises(DatabaseUnavailableError, match="no space is left on the disk"):
        await database.run("insert into item values (hex(zeroblob(100000)))")
    await database.run("pragma max_page_count = 1000")
    await database.run("insert into item values (hex(zeroblob(100000)))")

    assert await database.run("select count(*) from item") == [(1,)]


async def test_small_statements_still_fit_on_a_full_disk(database: Database) -> None:
    await database.run("pragma max_page_count = 20")
    add_large = "insert into item values (hex(zeroblob(100000)))"
    calls = (database.run(ADD, "a"), database.run(add_large), database.run(ADD, "b"))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(outcomes[1], DatabaseUnavailableError)
    assert await list_items(database) == [("a",), ("b",)]


async def test_full_disk_ends_a_transaction_of_several_statements(database: Database) -> None:
    await database.run("pragma max_page_count = 20")
    with pytest.raises(DatabaseUnavailableError, match="no space is left on the disk"):
        await database.transact(
            Statement(ADD, ("a",)), Statement("insert into item values (hex(zeroblob(100000)))")
        )

    assert await list_items(database) == []


async def test_failed_write_to_the_disk_is_unavailable(path: Path, database: Database) -> None:
    size = path.with_name("journal.sqlite-wal").stat().st_size
    with file_size_limited(size), pytest.raises(DatabaseUnavailableError, match="disk I/O error"):
        await database.run(ADD, "a")
    await database.run(ADD, "b")

    assert await list_items(database) == [("b",)]


async def test_statement_that_ends_the_transaction_fails_alone(database: Database) -> None:
    await database.run(ADD, "a")
    calls = (
        database.run(ADD, "b"),
        database.run("insert or rollback into item values ('a')"),
        database.run(ADD, "c"),
    )
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(outcomes[1], DatabaseStatementError)
    assert await list_items(database) == [("a",), ("b",), ("c",)]


async def test_transaction_that_its_statement_ends_fails(database: Database) -> None:
    await database.run(ADD, "a")
    with pytest.raises(DatabaseStatementError, match="UNIQUE"):
        await database.transact(
            Statement(ADD, ("b",)), Statement("insert or rollback into item values ('a')")
        )

    assert await list_items(database) == [("a",)]


@pytest.mark.parametrize("sql", [ADD, "select $1"])
async def test_deleted_file_is_unavailable_and_not_recreated(
    path: Path, database: Database, sql: str
) -> None:
    path.unlink()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="was deleted or replaced while in use"):
            await database.run(sql, "a")

    assert not path.exists()


async def test_replaced_file_is_unavailable_and_untouched(path: Path, database: Database) -> None:
    await database.run(ADD, "a")
    path.rename(path.with_name("original"))
    execute(path, "create table other (name text)")
    content = path.read_bytes()
    with pytest.raises(DatabaseUnavailableError, match="was deleted or replaced while in use"):
        await database.run(ADD, "b")

    assert path.read_bytes() == content


async def test_file_that_is_put_back_is_used_again(path: Path, database: Database) -> None:
    await database.run(ADD, "a")
    path.rename(path.with_name("moved"))
    with pytest.raises(DatabaseUnavailableError):
        await database.run(ADD, "b")
    path.with_name("moved").rename(path)
    await database.run(ADD, "c")

    assert await list_items(database) == [("a",), ("c",)]


async def test_read_only_file_is_unavailable_while_in_use(path: Path, database: Database) -> None:
    path.rename(path.with_name("moved"))
    with pytest.raises(DatabaseUnavailableError):  # so that the file is opened again
        await database.run(ADD, "a")
    path.with_name("moved").rename(path)
    path.chmod(0o444)
    with acting_unprivileged(), pytest.raises(DatabaseUnavailableError, match="is not writable"):
        await database.run(ADD, "b")
    path.chmod(0o666)
    await database.run(ADD, "c")

    assert await list_items(database) == [("c",)]


@pytest.mark.parametrize("offset", [0, 4096])
async def test_damaged_file_is_corrupt_until_it_is_restored(
    path: Path, database: Database, offset: int
) -> None:
    """The file is damaged while in use, at its beginning or in a table."""
    await database.run(ADD, "a")
    execute(path, "pragma wal_checkpoint(truncate)")
    good = overwrite(path, offset, GARBAGE)
    for _ in range(2):
        with pytest.raises(DatabaseCorruptError, match=r"journal.sqlite is damaged: .*; restore it"):
            await database.run("select name from item not indexed")
    damaged = overwrite(path, offset, good)

    assert damaged == GARBAGE
    assert await list_items(database) == [("a",)]


async def test_damaged_index_is_corrupt_for_all_calls(path: Path, database: Database) -> None:
    await database.run(ADD, "a")
    execute(path, "pragma wal_checkpoint(truncate)")
    overwrite(path, 8192, GARBAGE)
    with pytest.raises(DatabaseCorruptError):
        await database.run(ADD, "b")
    with pytest.raises(DatabaseCorruptError):
        await database.run("select 1")
