"""Plans of the journal's statements on SQLite: they stay fast however many executions are stored."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias, final

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import Database, Row, Value
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import CommitState

APP: Final = "shop"
ATTEMPT: Final = Attempt("exe-1", "orders", 1, "caller", b"fingerprint")
ANSWER: Final = Answer(201, {}, b"{}")

_SCAN: Final = re.compile(r"SCAN (executions|e|owners|o)\b")
_APP_ONLY: Final = re.compile(r"SEARCH (executions|e) USING (COVERING )?INDEX \w+ \(app=\?\)")


@final
class ExplainingDatabase:
    """Database in memory that keeps the plan of each statement."""

    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self.dialect = self._database.dialect
        self.open, self.close, self.transact = (
            self._database.open,
            self._database.close,
            self._database.transact,
        )
        self.plan: list[str] = []

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        plan = await self._database.run(f"explain query plan {sql}", *values)
        self.plan += [str(row[-1]) for row in plan]
        return await self._database.run(sql, *values)


Operation: TypeAlias = Callable[[ExecutionStore], Awaitable[object]]


async def take_over(store: ExecutionStore) -> bool:
    record = await store.find(ATTEMPT.execution_id)
    assert record is not None
    return await store.take_over(record)


async def finish_seal(store: ExecutionStore) -> bool:
    record = await store.find(ATTEMPT.execution_id)
    assert record is not None
    return await store.finish_seal(record)


async def take_stuck(store: ExecutionStore) -> bool:
    record = await store.find(ATTEMPT.execution_id)
    assert record is not None
    return await store.take_stuck(record)


async def finish_undo(store: ExecutionStore) -> bool:
    record = await store.find(ATTEMPT.execution_id)
    assert record is not None
    return await store.finish_undo(record, CommitState.UNDONE, ())


def find_page(state: CommitState) -> Operation:
    return lambda store: store.page(state, 20, 50)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "begin": lambda store: store.begin(replace(ATTEMPT, number=2), ()),
    "settle": lambda store: store.settle(ATTEMPT, CommitState.COMMITTED, (), ANSWER),
    "seal": lambda store: store.seal(ATTEMPT, (), ANSWER),
    "amend": lambda store: store.amend(ATTEMPT, ANSWER),
    "find": lambda store: store.find(ATTEMPT.execution_id),
    "page": lambda store: store.page(None, 20, None),
    "page after the first": lambda store: store.page(None, 20, 50),
    **{f"page of {state.value}": find_page(state) for state in CommitState},
    "take over": take_over,
    "finish seal": finish_seal,
    "take stuck": take_stuck,
    "finish undo": finish_undo,
    "send_heartbeat": lambda store: store.send_heartbeat(),
    "list unsettled": lambda store: store.list_unsettled(90),
    "count stuck": lambda store: store.count_stuck(),
    "forget": lambda store: store.forget(),
}


@pytest.fixture
def database() -> ExplainingDatabase:
    return ExplainingDatabase()


@pytest.fixture
async def store(database: ExplainingDatabase) -> AsyncIterator[ExecutionStore]:
    """Store with an execution."""
    opened = ExecutionStore(database, APP)
    await opened.open()
    await opened.begin(ATTEMPT, ())
    database.plan.clear()
    yield opened
    await opened.close()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
async def test_no_statement_reads_all_executions(
    database: ExplainingDatabase, store: ExecutionStore, operation: Operation
) -> None:
    """A plan that is limited by nothing but the app reads all of them, too."""
    await operation(store)

    assert [step for step in database.plan if _SCAN.match(step) or _APP_ONLY.match(step)] == []


async def test_measurement_reads_an_index_only(database: ExplainingDatabase, store: ExecutionStore) -> None:
    await store.measure(0)

    assert (
        database.plan
        == ["SEARCH gateway_executions USING COVERING INDEX gateway_executions_size (app=?)"] * 2
    )


async def test_callers_of_a_small_journal_are_not_measured(
    database: ExplainingDatabase, store: ExecutionStore
) -> None:
    stored = await store.measure(1_000_000)

    assert (len(database.plan), stored.by_caller) == (1, {})


async def _fill(store: ExecutionStore, name: str) -> None:
    for number in range(300):
        attempt = replace(ATTEMPT, execution_id=f"exe-{name}-{number}")
        await store.begin(attempt, ())
        await store.settle(attempt, CommitState.COMMITTED, (), replace(ANSWER, body=b"x" * 500))


async def _count_pages(database: Database) -> Value:
    ((pages,),) = await database.run("pragma page_count")
    return pages


async def test_space_of_forgotten_executions_is_used_again(
    database: ExplainingDatabase, store: ExecutionStore
) -> None:
    await _fill(store, "old")
    pages = await _count_pages(database)
    await database.run("update gateway_executions set ended_at = 0 where ended_at is not null")
    await store.forget()
    await _fill(store, "new")

    assert await _count_pages(database) == pages
