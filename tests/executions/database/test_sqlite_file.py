"""Files of SQLite databases: creation, refusals at the start, durability and size."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.executions.database import Database, DatabaseRefusedError, create_database
from tests.executions.database.sqlite_files import acting_unprivileged, connected, overwrite


@pytest.fixture
def path() -> Iterator[Path]:
    """A file in a folder that every user may enter and write, as pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder / "journal.sqlite"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    opened = create_database(f"sqlite:///{path}")
    await opened.open()
    yield opened
    await opened.close()


async def find_refusal(path: Path) -> str:
    """Return the reason why the file is refused at the start."""
    database = create_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseRefusedError) as caught:
        await database.open()
    return str(caught.value)


async def test_files_can_be_read_by_their_owner_only(path: Path) -> None:
    mask = os.umask(0)
    database = create_database(f"sqlite:///{path}")
    try:
        await database.open()
        await database.run("create table item (name text)")
    finally:
        os.umask(mask)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await database.close()

    assert modes == {"journal.sqlite": 0o600, "journal.sqlite-wal": 0o600, "journal.sqlite-shm": 0o600}


async def test_relative_path_is_that_at_creation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    database = create_database("sqlite:///journal.sqlite")
    monkeypatch.chdir("/")
    await database.open()
    await database.close()

    assert path.exists()


async def test_link_is_followed(path: Path) -> None:
    """SQLite keeps the other files beside the file itself, not beside the link."""
    folder = path.parent / "volume"
    folder.mkdir()
    path.symlink_to(folder / "real.sqlite")
    database = create_database(f"sqlite:///{path}")
    await database.open()
    await database.run("create table item (name text)")
    names = {file.name for file in folder.iterdir()}
    await database.close()

    assert names == {"real.sqlite", "real.sqlite-wal", "real.sqlite-shm"}


async def test_commits_are_on_the_disk(database: Database) -> None:
    assert await database.run("pragma journal_mode") == [("wal",)]
    assert await database.run("pragma synchronous") == [(2,)]


def test_statement_survives_a_kill(path: Path) -> None:
    program = f"""
import asyncio, os, signal
from gateway.executions.database import create_database
async def main():
    database = create_database("sqlite:///{path}")
    await database.open()
    await database.run("create table item (name text)")
    await database.run("insert into item values ('a')")
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], check=False)  # noqa: S603 - our own program

    with connected(path) as connection:
        assert connection.execute("select name from item").fetchall() == [("a",)]


async def test_missing_folder_is_refused(path: Path) -> None:
    reason = await find_refusal(path.parent / "missing" / "journal.sqlite")

    assert reason == f"the folder {path.parent}/missing of the database file does not exist; create it"


async def test_read_only_folder_is_refused(path: Path) -> None:
    path.parent.chmod(0o555)
    with acting_unprivileged():
        reason = await find_refusal(path)

    assert reason == f"cannot create {path}: Permission denied; its folder must be writable"


async def test_file_in_inaccessible_folder_is_refused(path: Path) -> None:
    path = path.parent / "folder" / path.name
    path.parent.parent.chmod(0o600)
    with acting_unprivileged():
        reason = await find_refusal(path)

    assert reason == f"cannot create {path}: Permission denied; its folder must be writable"


async def test_existing_file_in_read_only_folder_is_refused(path: Path, database: Database) -> None:
    await database.run("create table item (name text)")
    await database.close()
    path.chmod(0o666)
    path.parent.chmod(0o555)
    with acting_unprivileged():
        reason = await find_refusal(path)

    assert reason == f"{path.parent} is not writable; the gateway must write the database file and its folder"


async def test_read_only_file_is_refused(path: Path, database: Database) -> None:
    await database.run("create table item (name text)")
    await database.close()
    path.chmod(0o444)
    with acting_unprivileged():
        reason = await find_refusal(path)

    assert reason == f"{path} is not writable; the gateway must write the database file and its folder"


async def test_folder_in_place_of_file_is_refused(path: Path) -> None:
    path.mkdir()

    assert "unable to open database file" in await find_refusal(path)


@pytest.mark.parametrize("content", [b"not a database", b"no database either\n" * 1000])
async def test_other_file_is_refused_and_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    reason = await find_refusal(path)

    assert reason == f"{path} is damaged: file is not a database; restore it, or move it away"
    assert path.read_bytes() == content
    assert [*path.parent.iterdir()] == [path]


async def test_damaged_file_is_refused(path: Path, database: Database) -> None:
    await database.run("create table item (name text)")
    await database.run("insert into item values (hex(randomblob(20000)))")
    await database.close()
    overwrite(path, 4096, b"x" * 4096)

    assert "is damaged" in await find_refusal(path)


async def test_mixed_up_pages_are_refused(path: Path, database: Database) -> None:
    """A file whose pages can all be read, but do not belong together."""
    await database.run("create table item (name text)")
    await database.run("create table other (name text)")
    await database.close()
    with connected(path) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute("update sqlite_schema set rootpage = 2")

    assert "is damaged" in await find_refusal(path)


async def test_large_file_is_not_checked_at_the_start(path: Path, database: Database) -> None:
    await database.run("create table item (content blob)")
    await database.run("insert into item values (zeroblob(80000000))")
    await database.close()
    overwrite(path, path.stat().st_size - 4096, b"\xff" * 4096)
    await database.open()

    assert await database.run("select count(*) from item") == [(1,)]


async def test_refused_database_can_be_opened_later(path: Path) -> None:
    database = create_database(f"sqlite:///{path}")
    path.write_bytes(b"not a database")
    with pytest.raises(DatabaseRefusedError):
        await database.open()
    path.unlink()
    await database.open()

    assert await database.run("select 1") == [(1,)]
    await database.close()


async def test_deleted_rows_make_room_for_others(database: Database) -> None:
    await database.run("create table item (number integer primary key, content blob)")
    sizes: list[object] = []
    for _ in range(5):
        for _ in range(10):
            await database.run("insert into item (content) values (zeroblob(100000))")
        await database.run("delete from item")
        sizes += await database.run("select page_count from pragma_page_count")

    assert len({*sizes}) == 1


async def test_write_ahead_log_is_bounded(path: Path, database: Database) -> None:
    wal = path.with_name("journal.sqlite-wal")
    await database.run("create table item (content blob)")
    await database.run("insert into item values (zeroblob(30000000))")
    peak = wal.stat().st_size
    for _ in range(3):
        await database.run("insert into item values (zeroblob(10000))")

    assert peak > 30_000_000
    assert wal.stat().st_size <= 16 * 1024 * 1024
