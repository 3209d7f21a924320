"""Store of executions: each statement and compare-and-set, on every database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import Database, create_database
from gateway.executions.execution import Page
from gateway.executions.record import RecordState
from gateway.executions.store import HEARTBEAT_TIMEOUT, Attempt, ExecutionStore, StoredBytes
from gateway.railway import CommitState, WriteOutcome
from tests.executions.scripted_runs import DAY, build_attempt, build_writes

DONE = (WriteOutcome.DONE, WriteOutcome.DONE)
STUCK = (WriteOutcome.UNDONE, WriteOutcome.STUCK)
PAID = Answer(201, {"location": "/executions/exe-1"}, b'{"paid":"\xc3\xa9"}')
WHOLE = Answer(201, {}, b"paid, and told")


class Journal:
    """Two processes with stores in the same database, and an operator's look into it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._database: Database = create_database(url)
        self.store = ExecutionStore(self._database, "bank")
        self.other = ExecutionStore(self._open_again(), "bank")

    def _open_again(self) -> Database:
        return self._database if self.url.endswith(":memory:") else create_database(self.url)

    async def open(self) -> None:
        await self.store.open()
        await self.other.open()

    async def close(self) -> None:
        await self.other.close()
        await self.store.close()

    async def open_app(self, app: str) -> ExecutionStore:
        """Return the store of another app."""
        store = ExecutionStore(self._database, app)
        await store.open()
        return store

    async def shift(self, table: str, column: str, seconds: float) -> None:
        """Move the times in a column into the past."""
        await self._database.run(f"update {table} set {column} = {column} - {seconds}")  # noqa: S608 - constants

    async def miss_heartbeats(self, seconds: float = HEARTBEAT_TIMEOUT + 1) -> None:
        """Move the last heartbeats into the past, and send one of the other process."""
        await self.shift("gateway_owners", "seen_at", seconds)
        await self.other.send_heartbeat()

    async def count(self, table: str) -> int:
        rows = await self._database.run(f"select count(*) from {table}")  # noqa: S608 - constants
        return int(rows[0][0] or 0)

    async def commit(self, execution_id: str = "exe-1") -> None:
        await self.end(execution_id, CommitState.COMMITTED, PAID)

    async def seal(self, execution_id: str = "exe-1") -> None:
        """Begin and seal an execution."""
        attempt = build_attempt(execution_id)
        assert await self.store.begin(attempt, build_writes(execution_id))
        assert await self.store.seal(attempt, build_writes(execution_id), PAID)

    async def end(self, execution_id: str, state: CommitState, answer: Answer | None) -> None:
        """Begin and settle an execution."""
        attempt = build_attempt(execution_id)
        assert await self.store.begin(attempt, build_writes(execution_id))
        assert await self.store.settle(attempt, state, build_writes(execution_id), answer)


Found: TypeAlias = tuple[RecordState, Answer | None, int, str]


async def find(store: ExecutionStore, execution_id: str = "exe-1") -> Found:
    """Return the state, the answer, the attempt and the owner of an execution."""
    record = await store.find(execution_id)
    assert record is not None
    return record.state, record.answer, record.attempt, record.owner


def list_ids(page: Page) -> Sequence[str]:
    return [execution.execution_id for execution in page.executions]


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database; in memory, the processes share the connection."""
    if request.param == "memory":
        return "sqlite:///:memory:"
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def journal(url: str) -> AsyncIterator[Journal]:
    opened = Journal(url)
    await opened.open()
    yield opened
    await opened.close()


async def test_new_execution_is_running_with_pending_writes(journal: Journal) -> None:
    assert await journal.store.begin(build_attempt(), build_writes())

    record = await journal.other.find("exe-1")
    assert record is not None
    assert (record.attempt, record.state, record.owner) == (1, RecordState.RUNNING, journal.store.owner)
    assert (record.fingerprint, record.answer, record.is_key_free) == (b"rent", None, False)
    execution = record.execution
    assert (execution.execution_id, execution.pipeline) == ("exe-1", "transfers")
    assert (execution.state, execution.ended_at) == (CommitState.RUNNING, None)
    assert execution.writes == tuple(build_writes())


async def test_second_begin_conflicts(journal: Journal) -> None:
    assert await journal.store.begin(build_attempt(), build_writes())

    assert not await journal.other.begin(build_attempt(), build_writes())
    assert not await journal.store.begin(build_attempt(), build_writes())
    assert (await find(journal.store))[3] == journal.store.owner


async def test_execution_of_unrepeatable_request_has_no_fingerprint(journal: Journal) -> None:
    await journal.store.begin(build_attempt(fingerprint=None), build_writes())

    record = await journal.store.find("exe-1")
    assert record is not None
    assert record.fingerprint is None


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE, CommitState.STUCK])
async def test_settled_execution_has_answer_and_time(journal: Journal, state: CommitState) -> None:
    await journal.store.begin(build_attempt(), build_writes())

    assert await journal.store.settle(build_attempt(), state, build_writes("exe-1", *STUCK), PAID)

    record = await journal.other.find("exe-1")
    assert record is not None
    assert (record.execution.state, record.answer) == (state, PAID)
    assert record.execution.writes == tuple(build_writes("exe-1", *STUCK))
    assert record.execution.ended_at is not None
    assert record.execution.ended_at >= record.execution.started_at


async def test_second_settle_changes_nothing(journal: Journal) -> None:
    await journal.commit()

    assert not await journal.store.settle(build_attempt(), CommitState.UNDONE, [], None)
    assert (await find(journal.store))[:2] == (RecordState.COMMITTED, PAID)


async def test_only_owner_settles(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())

    assert not await journal.other.settle(build_attempt(), CommitState.COMMITTED, [], PAID)
    assert not await journal.store.settle(build_attempt(number=2), CommitState.COMMITTED, [], PAID)
    assert (await find(journal.store))[0] is RecordState.RUNNING


@pytest.mark.parametrize("answer", [None, PAID])
@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE, CommitState.STUCK])
async def test_only_undone_execution_without_answer_is_free(
    journal: Journal, state: CommitState, answer: Answer | None
) -> None:
    await journal.end("exe-1", state, answer)
    is_free = state is CommitState.UNDONE and answer is None

    assert await journal.other.begin(build_attempt(number=2), build_writes()) is is_free
    if is_free:
        assert await find(journal.store) == (RecordState.RUNNING, None, 2, journal.other.owner)


@pytest.mark.parametrize("number", [1, 3])
async def test_begin_of_stale_attempt_conflicts(journal: Journal, number: int) -> None:
    await journal.end("exe-1", CommitState.UNDONE, None)

    assert not await journal.store.begin(build_attempt(number=number), build_writes())


async def test_begin_after_undone_is_new(journal: Journal) -> None:
    await journal.end("exe-1", CommitState.UNDONE, None)
    second = Attempt("exe-1", "orders", 2, "bob", b"food")
    await journal.other.begin(second, build_writes("exe-2"))

    record = await journal.store.find("exe-1")
    assert record is not None
    assert (record.fingerprint, record.execution.ended_at) == (b"food", None)
    assert record.execution.writes == tuple(build_writes("exe-2"))
    assert not await journal.store.settle(build_attempt(), CommitState.COMMITTED, [], PAID)


async def test_begin_after_a_day_is_new(journal: Journal) -> None:
    """The deletion of the old execution may be late."""
    await journal.commit()
    await journal.shift("gateway_executions", "ended_at", DAY + 1)

    assert await journal.other.begin(build_attempt(), build_writes())

    assert await find(journal.store) == (RecordState.RUNNING, None, 1, journal.other.owner)


async def test_stuck_execution_is_never_begun_again(journal: Journal) -> None:
    await journal.end("exe-1", CommitState.STUCK, None)
    await journal.shift("gateway_executions", "ended_at", DAY + 1)

    assert not await journal.other.begin(build_attempt(), build_writes())


async def test_amend_replaces_sealed_answer(journal: Journal) -> None:
    await journal.seal()
    assert (await find(journal.store))[:2] == (RecordState.SEALED, PAID)

    assert await journal.store.amend(build_attempt(), WHOLE)
    assert (await find(journal.store))[:2] == (RecordState.COMMITTED, WHOLE)
    assert not await journal.other.amend(build_attempt(), PAID)
    assert not await journal.store.amend(build_attempt(number=2), PAID)


@pytest.mark.parametrize(
    ("state", "answer"),
    [(CommitState.COMMITTED, None), (CommitState.UNDONE, PAID), (CommitState.STUCK, PAID)],
)
async def test_amend_needs_sealed_execution(
    journal: Journal, state: CommitState, answer: Answer | None
) -> None:
    await journal.end("exe-1", state, answer)

    assert not await journal.store.amend(build_attempt(), WHOLE)
    assert (await find(journal.store))[1] == answer


async def test_amend_keeps_size_in_step(journal: Journal) -> None:
    await journal.seal()
    before = (await journal.store.measure(0)).total
    await journal.store.amend(build_attempt(), WHOLE)

    grown = len(WHOLE.encode()) - len(PAID.encode())
    assert (await journal.store.measure(0)).total == before + grown


async def test_living_owner_keeps_execution(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())
    record = await journal.other.find("exe-1")
    assert record is not None

    assert await journal.other.list_unsettled(90) == []
    assert not await journal.other.take_over(record)
    assert (await find(journal.store))[0] is RecordState.RUNNING


async def test_silent_owner_loses_execution(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())
    await journal.miss_heartbeats()
    (unsettled,) = await journal.other.list_unsettled(90)

    assert HEARTBEAT_TIMEOUT < unsettled.heartbeat_age < HEARTBEAT_TIMEOUT + 60
    assert await journal.other.take_over(unsettled.record)
    assert await find(journal.store) == (RecordState.UNDOING, None, 1, journal.other.owner)
    assert not await journal.store.settle(build_attempt(), CommitState.COMMITTED, [], PAID)


async def test_owner_that_woke_up_keeps_execution(journal: Journal) -> None:
    """Between the look and the take-over, the owner has sent a heartbeat."""
    await journal.store.begin(build_attempt(), build_writes())
    await journal.miss_heartbeats()
    (unsettled,) = await journal.other.list_unsettled(90)
    await journal.store.send_heartbeat()

    assert not await journal.other.take_over(unsettled.record)


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
async def test_executions_of_closed_store_are_taken_over(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    await journal.store.begin(build_attempt(), build_writes())
    await journal.shift("gateway_executions", "started_at", HEARTBEAT_TIMEOUT + 1)

    await journal.store.close()

    (unsettled,) = await journal.other.list_unsettled(90)
    assert await journal.other.take_over(unsettled.record)
    await journal.close()


async def test_settled_execution_is_not_taken_over(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())
    record = await journal.store.find("exe-1")
    assert record is not None
    await journal.store.settle(build_attempt(), CommitState.COMMITTED, [], PAID)
    await journal.miss_heartbeats()

    assert await journal.other.list_unsettled(90) == []
    assert not await journal.other.take_over(record)
    assert not await journal.store.take_over(record)


async def test_own_orphan_is_unsettled_after_patience(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())
    assert await journal.store.list_unsettled(90) == []
    await journal.shift("gateway_executions", "started_at", 91)

    (unsettled,) = await journal.store.list_unsettled(90)
    assert await journal.store.take_over(unsettled.record)
    assert (await find(journal.store))[0] is RecordState.UNDOING


async def test_one_of_two_processes_takes_over(journal: Journal) -> None:
    dead = await journal.open_app("bank")
    await dead.begin(build_attempt(), build_writes())
    await journal.shift("gateway_owners", "seen_at", HEARTBEAT_TIMEOUT + 1)
    record = await journal.store.find("exe-1")
    assert record is not None

    taken = await asyncio.gather(journal.store.take_over(record), journal.other.take_over(record))

    assert sorted(taken) == [False, True]


async def test_one_of_many_begins_succeeds(journal: Journal) -> None:
    stores = [journal.store, journal.other] * 5

    begun = await asyncio.gather(*(store.begin(build_attempt(), build_writes()) for store in stores))

    assert sorted(begun) == [False] * 9 + [True]


async def test_settle_or_take_over_wins(journal: Journal) -> None:
    await journal.store.begin(build_attempt(), build_writes())
    await journal.miss_heartbeats()
    (unsettled,) = await journal.other.list_unsettled(90)

    is_settled, is_taken = await asyncio.gather(
        journal.store.settle(build_attempt(), CommitState.COMMITTED, build_writes(), PAID),
        journal.other.take_over(unsettled.record),
    )

    state = RecordState.COMMITTED if is_settled else RecordState.UNDOING
    assert is_settled is not is_taken
    assert (await find(journal.store))[0] is state


async def test_stuck_execution_is_taken_once(journal: Journal) -> None:
    await journal.end("exe-1", CommitState.STUCK, PAID)
    record = await journal.other.find("exe-1")
    assert record is not None

    assert await journal.other.take_stuck(record)
    assert not await journal.store.take_stuck(record)
    assert await find(journal.store) == (RecordState.UNDOING, PAID, 1, journal.other.owner)


@pytest.mark.parametrize(("state", "answer"), [(CommitState.UNDONE, None), (CommitState.STUCK, PAID)])
async def test_successful_undo_frees_key(journal: Journal, state: CommitState, answer: Answer | None) -> None:
    await journal.end("exe-1", CommitState.STUCK, PAID)
    record = await journal.other.find("exe-1")
    assert record is not None
    await journal.other.take_stuck(record)

    assert await journal.other.finish_undo(record, state, build_writes("exe-1", *STUCK))

    found = await journal.store.find("exe-1")
    assert found is not None
    assert (found.execution.state, found.answer, found.is_key_free) == (state, answer, answer is None)
    assert found.execution.writes == tuple(build_writes("exe-1", *STUCK))
    assert found.execution.ended_at is not None


async def test_undo_of_lost_execution_is_not_recorded(journal: Journal) -> None:
    await journal.end("exe-1", CommitState.STUCK, PAID)
    record = await journal.other.find("exe-1")
    assert record is not None
    assert not await journal.other.finish_undo(record, CommitState.UNDONE, [])
    await journal.other.take_stuck(record)

    assert not await journal.store.finish_undo(record, CommitState.UNDONE, [])
    assert (await find(journal.store))[0] is RecordState.UNDOING


async def test_page_has_latest_executions_first(journal: Journal) -> None:
    for number in range(1, 5):
        await journal.commit(f"exe-{number}")
    first = await journal.store.page(None, 2, None)
    await journal.commit("exe-5")

    second = await journal.other.page(None, 2, first.cursor)

    assert (list_ids(first), list_ids(second)) == (["exe-4", "exe-3"], ["exe-2", "exe-1"])
    assert second.cursor is None


async def test_page_of_empty_journal_is_empty(journal: Journal) -> None:
    assert await journal.store.page(None, 10, None) == Page((), None)


async def test_page_filters_by_public_state(journal: Journal) -> None:
    await journal.commit("exe-committed")
    await journal.end("exe-undone", CommitState.UNDONE, None)
    await journal.end("exe-stuck", CommitState.STUCK, None)
    await journal.end("exe-retried", CommitState.STUCK, None)
    await journal.store.begin(build_attempt("exe-running"), [])
    retried = await journal.store.find("exe-retried")
    assert retried is not None
    await journal.store.take_stuck(retried)

    pages = {state: list_ids(await journal.store.page(state, 9, None)) for state in CommitState}
    assert pages == {
        CommitState.RUNNING: ["exe-running", "exe-retried"],
        CommitState.COMMITTED: ["exe-committed"],
        CommitState.UNDONE: ["exe-undone"],
        CommitState.STUCK: ["exe-stuck"],
    }


async def test_page_of_state_continues_at_cursor(journal: Journal) -> None:
    for number in range(3):
        await journal.end(f"exe-stuck-{number}", CommitState.STUCK, None)
        await journal.commit(f"exe-{number}")
    first = await journal.store.page(CommitState.STUCK, 2, None)

    second = await journal.store.page(CommitState.STUCK, 2, first.cursor)

    assert list_ids(first) == ["exe-stuck-2", "exe-stuck-1"]
    assert (list_ids(second), second.cursor) == (["exe-stuck-0"], None)


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE])
async def test_execution_is_kept_for_a_day(journal: Journal, state: CommitState) -> None:
    await journal.end("exe-1", state, PAID)
    await journal.shift("gateway_executions", "ended_at", DAY - 60)
    assert await journal.store.forget() is False
    assert await journal.store.find("exe-1") is not None

    await journal.shift("gateway_executions", "ended_at", 61)

    assert await journal.store.find("exe-1") is None
    assert await journal.store.page(None, 10, None) == Page((), None)
    assert await journal.count("gateway_executions") == 1
    assert await journal.store.forget() is False
    assert await journal.count("gateway_executions") == 0


async def test_stuck_and_running_executions_are_kept(journal: Journal) -> None:
    await journal.end("exe-1", CommitState.STUCK, PAID)
    await journal.store.begin(build_attempt("exe-2"), build_writes("exe-2"))
    await journal.shift("gateway_executions", "ended_at", 2 * DAY)
    await journal.shift("gateway_executions", "started_at", 2 * DAY)

    assert await journal.store.forget() is False
    assert list_ids(await journal.store.page(None, 10, None)) == ["exe-2", "exe-1"]


async def test_dead_owners_are_forgotten_after_a_day(journal: Journal) -> None:
    idle = await journal.open_app("bank")
    dead = await journal.open_app("bank")
    await dead.begin(build_attempt(), build_writes())
    await journal.shift("gateway_owners", "seen_at", DAY + 1)
    await journal.store.send_heartbeat()
    await journal.other.send_heartbeat()

    await journal.store.forget()

    assert await journal.count("gateway_owners") == 3
    assert len({dead.owner, idle.owner}) == 2


async def test_stuck_executions_are_counted(journal: Journal) -> None:
    assert await journal.store.count_stuck() == 0
    await journal.end("exe-1", CommitState.STUCK, None)
    await journal.commit("exe-2")

    assert await journal.other.count_stuck() == 1


async def test_stored_bytes_are_measured_by_caller(journal: Journal) -> None:
    assert await journal.store.measure(0) == StoredBytes(0, {})
    for number, caller in enumerate(("alice", "alice", "bob")):
        await journal.store.begin(build_attempt(f"exe-{number}", caller=caller), [])

    stored = await journal.store.measure(0)
    bob = stored.by_caller["bob"]

    assert stored == StoredBytes(3 * bob, {"alice": 2 * bob, "bob": bob})
    assert (await journal.store.measure(bob)).by_caller == {"alice": 2 * bob}
    assert await journal.store.settle(build_attempt("exe-2"), CommitState.UNDONE, [], None)
    assert (await journal.store.measure(0)).by_caller["bob"] < bob


async def test_unrepeatable_execution_reserves_no_answer(journal: Journal) -> None:
    await journal.store.begin(build_attempt("exe-1", caller="alice"), [])
    await journal.store.begin(build_attempt("exe-2", caller="bob", fingerprint=None), [])

    sizes = (await journal.store.measure(0)).by_caller
    assert sizes["bob"] < sizes["alice"]


async def test_apps_do_not_see_each_others_rows(journal: Journal) -> None:
    """Apps of different names share a database, but no executions, also with the same ids."""
    shop = await journal.open_app("shop")
    await journal.end("exe-1", CommitState.STUCK, PAID)
    record = await journal.store.find("exe-1")
    assert record is not None

    assert await shop.find("exe-1") is None
    assert await shop.page(None, 10, None) == Page((), None)
    assert (await shop.count_stuck(), await shop.measure(0)) == (0, StoredBytes(0, {}))
    assert not await shop.take_stuck(record)
    assert await shop.begin(build_attempt(), build_writes())
    await journal.shift("gateway_executions", "ended_at", 2 * DAY)
    await journal.shift("gateway_owners", "seen_at", HEARTBEAT_TIMEOUT + 1)
    assert await journal.store.list_unsettled(0) == []
    assert await shop.forget() is False
    assert await journal.store.count_stuck() == 1


async def test_processes_share_secret_of_app(journal: Journal) -> None:
    assert journal.store.secret == journal.other.secret
    assert len(journal.store.secret) == 32
    assert journal.store.owner != journal.other.owner


async def test_processes_open_empty_database_at_once(url: str) -> None:
    journal = Journal(url)

    await asyncio.gather(journal.store.open(), journal.other.open())

    assert journal.store.secret == journal.other.secret
    await journal.close()


async def test_second_open_does_nothing(journal: Journal) -> None:
    before = journal.store.secret
    await journal.store.open()

    assert journal.store.secret is before


async def test_apps_have_different_secrets(journal: Journal) -> None:
    """The keys of writes contain the execution id, and services know nothing of apps."""
    shop = await journal.open_app("shop")

    assert shop.secret != journal.store.secret
