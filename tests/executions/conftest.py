"""Registry with scripted runs and undos; databases on event loops with a real clock for those who ask."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.executions.scripted_runs import ScriptedRegistry
from tests.postgres import PostgresServer, run_postgres


@pytest.hookimpl
def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None:
    """Run the tests with real databases on a real clock."""
    if "url" in getattr(item, "fixturenames", ()):
        return {"asyncio": asyncio.SelectorEventLoop}
    return None


@pytest.fixture
async def scripted() -> ScriptedRegistry:
    """A process with an open journal."""
    registry = ScriptedRegistry()
    await registry.store.open()
    return registry


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an empty file."""
    return f"sqlite:///{tmp_path}/journal.sqlite"


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> str:
    """The URL of an empty schema of a server that all tests share."""
    return postgres.url(postgres.create_schema())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database."""
    return str(request.getfixturevalue(f"{request.param}_url"))
