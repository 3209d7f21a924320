"""Check of the journal before a gateway accepts requests, on a real clock: the journal has a thread."""

import asyncio
from pathlib import Path

import pytest

from gateway.cli.journal_check import find_journal_refusal
from gateway.executions.database.url import create_database
from gateway.executions.store import ExecutionStore
from tests.executions.database.sqlite_files import acting_unprivileged, execute
from tests.system.programs import free_port


def check(url: str) -> str | None:
    """Return the refusal for the journal at *url*, which is closed afterwards."""

    async def check_and_close() -> str | None:
        journal = ExecutionStore(create_database(url), "test")
        try:
            return await find_journal_refusal(journal)
        finally:
            await journal.close()

    return asyncio.run(check_and_close())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a journal that was used before."""
    file = tmp_path / "journal.sqlite"
    assert check(f"sqlite:///{file}") is None
    return file


def test_gateway_that_never_writes_needs_no_journal() -> None:
    assert asyncio.run(find_journal_refusal(None)) is None


def test_journal_of_an_earlier_run_is_accepted(file: Path) -> None:
    assert check(f"sqlite:///{file}") is None


def test_file_that_is_no_database_is_refused(file: Path) -> None:
    file.write_text("my shopping list\n" * 1000)

    refusal = check(f"sqlite:///{file}")
    assert refusal is not None
    assert refusal.startswith(f"cannot use the journal (GATEWAY_JOURNAL_URL): {file} is damaged: ")


def test_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with acting_unprivileged():
        refusal = check(f"sqlite:///{tmp_path}/journal.sqlite")

    assert refusal is not None
    assert "its folder must be writable" in refusal


def test_journal_of_newer_gateway_is_refused(file: Path) -> None:
    execute(file, "update gateway_schema_version set version = 99")

    refusal = check(f"sqlite:///{file}")
    assert refusal is not None
    assert "has version 99 of the schema" in refusal


def test_tables_of_another_program_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "shop.sqlite"
    execute(file, "create table gateway_executions (id integer)")

    refusal = check(f"sqlite:///{file}")
    assert refusal is not None
    assert refusal.startswith("cannot use the journal (GATEWAY_JOURNAL_URL): ")
    assert "table gateway_executions already exists" in refusal


def test_database_that_is_down_is_no_refusal() -> None:
    assert check(f"postgresql://127.0.0.1:{free_port()}/journal") is None
