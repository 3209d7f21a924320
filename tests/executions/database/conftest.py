"""Databases to test, on event loops with a real clock: their subjects are threads, files and sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from gateway.executions.database import Database, create_database


@pytest.hookimpl
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An open database with an empty table."""
    if request.param == "memory":
        address = "sqlite:///:memory:"
    elif request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/journal.sqlite"
    else:
        address = str(request.getfixturevalue("postgresql_url"))
    opened = create_database(address)
    await opened.open()
    await opened.run("create table item (name text primary key, amount integer check (amount >= 0))")
    yield opened
    await opened.close()
