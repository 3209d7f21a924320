"""Gateways whose journal is in a SQLite file that is locked, full, moved away, damaged or limited."""

import asyncio
import re
import resource
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import create_database
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import CommitState
from tests.executions.database.sqlite_files import execute, locked, overwrite
from tests.system.journal.journaled_gateway import JournaledGateway, run_journaled_gateway

GARBAGE = b"garbage!"
LOCKED = r"requests that write are refused: .*journal\.sqlite is locked by another process"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def path(folder: Path) -> Path:
    return folder / "journal.sqlite"


@pytest.fixture(scope="module")
def running(services: Mapping[str, str], path: Path, folder: Path) -> Iterator[JournaledGateway]:
    with run_journaled_gateway(services, f"sqlite:///{path}", folder) as gateway:
        yield gateway


@contextmanager
def file_size_limited(gateway: JournaledGateway, size: int) -> Generator[None]:
    """Let writes of the gateway beyond *size* bytes of any file fail, as on a full disk."""
    process = gateway.program.process.pid
    limits = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, limits)


def test_locked_file_stops_writes_only(running: JournaledGateway, path: Path) -> None:
    first = running.order("locked")
    with locked(path):
        running.wait_for_warning(LOCKED)
        running.assert_refuses_writes_only()
        replay = running.order("locked")

    running.wait_until_well()
    assert (first.status_code, replay.status_code, replay.content) == (201, 201, first.content)


def test_full_disk_stops_writes_only(running: JournaledGateway) -> None:
    with file_size_limited(running, 4096):
        running.wait_for_warning("requests that write are refused: .*(disk I/O error|no space is left)")
        running.assert_refuses_writes_only()

    running.wait_until_well()


def test_moved_file_is_not_replaced_and_can_be_put_back(running: JournaledGateway, path: Path) -> None:
    files = [path, *path.parent.glob("journal.sqlite-*")]
    for file in files:
        file.rename(file.with_name(f"moved-{file.name}"))
    running.wait_for_warning(r"journal\.sqlite was deleted or replaced while in use")
    running.assert_refuses_writes_only()
    is_replaced = path.exists()
    for file in files:
        file.with_name(f"moved-{file.name}").rename(file)

    running.wait_until_well()
    assert not is_replaced


def test_deleted_file_is_not_replaced(services: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with run_journaled_gateway(services, f"sqlite:///{path}", tmp_path) as gateway:
        path.unlink()
        gateway.wait_for_warning(r"journal\.sqlite was deleted or replaced while in use")
        gateway.assert_refuses_writes_only()
        result = gateway.end()

    assert (result.code, path.exists()) == (0, False)
    assert "was deleted or replaced while in use; put it back, or restart the gateway" in result.err


def test_damaged_file_is_named_and_never_replaced(services: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with run_journaled_gateway(services, f"sqlite:///{path}", tmp_path) as gateway:
        first = gateway.order("damaged")
        execute(path, "pragma wal_checkpoint(truncate)")
        good = overwrite(path, 0, GARBAGE * (path.stat().st_size // len(GARBAGE)))
        identity = path.stat().st_ino
        gateway.wait_for_warning(rf"{re.escape(str(path))} is damaged: .*; restore it, or move it away")
        gateway.assert_refuses_writes_only()
        damaged = overwrite(path, 0, good)
        gateway.wait_until_well()
        replay = gateway.order("damaged")
        result = gateway.end()

    # SQLite may have written a heartbeat back from its log, but no new journal was begun.
    assert (damaged[: len(GARBAGE)], path.stat().st_ino) == (GARBAGE, identity)
    assert replay.content == first.content
    assert re.search(rf"ERROR .*{re.escape(str(path))} is damaged", result.err)


async def fill(url: str) -> None:
    """Store an execution that fills a journal of 1 MB."""
    store = ExecutionStore(create_database(url), "fanout-gateway")
    await store.open()
    attempt = Attempt("exe-1", "orders", 1, "caller", b"fingerprint")
    await store.begin(attempt, ())
    await store.settle(attempt, CommitState.COMMITTED, (), Answer(201, {}, b"x" * 1_000_000))
    await store.close()


def test_full_journal_stops_writes_only(services: Mapping[str, str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    asyncio.run(fill(url))
    with run_journaled_gateway(services, url, tmp_path, GATEWAY_JOURNAL_MAX_MB="1") as gateway:
        gateway.wait_for_warning("the journal is full")
        gateway.assert_refuses_writes_only("The journal of the gateway is full")


def test_sigterm_ends_while_the_file_is_locked(services: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with run_journaled_gateway(services, f"sqlite:///{path}", tmp_path) as gateway, locked(path):
        gateway.wait_for_warning(LOCKED)
        result = gateway.end()

    assert (result.code, result.err.count("Traceback")) == (0, 0)
    assert result.seconds < 15
