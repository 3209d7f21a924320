"""Executions that are no longer kept, before they are deleted."""

from collections.abc import AsyncIterator
from typing import Final

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import CommitState

ATTEMPT: Final = Attempt("exe-1", "orders", 1, "caller", b"fingerprint")
ANSWER: Final = Answer(201, {}, b"{}")


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
async def store(database: MemoryDatabase) -> AsyncIterator[ExecutionStore]:
    opened = ExecutionStore(database, "shop")
    await opened.open()
    yield opened
    await opened.close()


async def end_long_ago(database: MemoryDatabase, store: ExecutionStore, state: CommitState) -> None:
    await store.begin(ATTEMPT, ())
    await store.settle(ATTEMPT, state, (), ANSWER)
    await database.run("update gateway_executions set ended_at = ended_at - 90000")


async def test_key_of_expired_execution_is_free(database: MemoryDatabase, store: ExecutionStore) -> None:
    """Otherwise a request would begin again and again, until the execution is deleted."""
    await end_long_ago(database, store, CommitState.COMMITTED)

    assert await store.find("exe-1") is None
    assert await store.begin(ATTEMPT, ())
    record = await store.find("exe-1")
    assert record is not None
    assert (record.execution.state, record.answer) == (CommitState.RUNNING, None)


async def test_stuck_execution_does_not_expire(database: MemoryDatabase, store: ExecutionStore) -> None:
    await end_long_ago(database, store, CommitState.STUCK)

    assert not await store.begin(ATTEMPT, ())
    assert await store.find("exe-1") is not None
