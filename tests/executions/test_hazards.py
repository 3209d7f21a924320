"""Hazards of a process that runs executions: bugs, hang-ups, restarts, and a database in trouble."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import DatabaseUnavailableError, Row, Statement, Value
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.recovery import Recovery
from gateway.executions.registry import ExecutionRegistry, NoAnswerReason, RunAnswer
from gateway.executions.run import RunRequest
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import (
    CommitStart,
    CommitState,
    CommitTerms,
    Intent,
    Key,
    Ok,
    RunContext,
    SentWrite,
    Undo,
    WriteOutcome,
)

INTENT: Final = Intent("bank.pay", Key("exe-1.pay"), "bank.refund")
ANSWER: Final = Answer(201, {}, b"paid")
UNSETTLED: Final = "left join owners"
SETTLE: Final = "set state = $5, writes = $6, answer = $7"


@final
class FailingDatabase:
    """Database in memory whose statements raise the exceptions in *troubles*, by a part of their SQL.

    Each takes some *seconds*.
    """

    def __init__(self) -> None:
        self._memory = MemoryDatabase()
        self.dialect = self._memory.dialect
        self.open, self.close = self._memory.open, self._memory.close
        self.troubles: dict[str, Exception] = {}
        self.seconds = 0.0

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        await asyncio.sleep(self.seconds)
        for part, trouble in self.troubles.items():
            if part in sql:
                raise trouble
        return await self._memory.run(sql, *values)

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        return await self._memory.transact(*statements)


@dataclass
class Process:
    """Process with a registry and a recovery; its undo waits for *may_undo*, and is noted in *log*."""

    database: FailingDatabase = field(default_factory=FailingDatabase)
    max_bytes: int = 1_000_000
    log: list[str] = field(default_factory=list[str])
    may_undo: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        undos = {"bank.refund": Undo("bank.refund", self._refund)}
        self.store = ExecutionStore(self.database, "bank")
        self.health = JournalHealth(StorageLimit(self.max_bytes))
        self.executions = ExecutionRegistry(self.store, undos, CommitTerms(), self.health)
        self.recovery = Recovery(self.store, undos, 30, self.health, self.executions)

    async def pay(self, context: RunContext) -> Answer:
        """Pay in a commit."""
        assert context.execution_id is not None
        self.log.append("started")
        assert context.gate.try_begin(context.execution_id)
        await context.journal.begin(CommitStart(context.execution_id, "rent", "payment", (INTENT,)))
        context.journal.end(context.execution_id, CommitState.COMMITTED)
        return ANSWER

    async def begin(self, state: CommitState | None = None) -> None:
        """Begin an execution that no run has, 91 seconds ago; settle it in *state*."""
        attempt = Attempt("exe-1", "rent", 1, "caller", b"rent")
        await self.store.open()
        await self.store.begin(attempt, [ExecutedWrite(INTENT, WriteOutcome.STUCK)])
        await self.database.run("update executions set started_at = started_at - 91")
        if state is not None:
            await self.store.settle(attempt, state, [ExecutedWrite(INTENT, WriteOutcome.STUCK)], ANSWER)

    async def find_state(self) -> CommitState | None:
        record = await self.store.find("exe-1")
        return record and record.execution.state

    async def _refund(self, _: SentWrite) -> Ok[None]:
        self.log.append("refund")
        try:
            await self.may_undo.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.1)
            self.log.append("cancelled")
            raise
        return Ok(None)


def build_request(execution_id: str = "exe-1", fingerprint: bytes | None = b"rent") -> RunRequest:
    return RunRequest(execution_id, "rent", fingerprint, RunContext(), b"Bearer token")


@pytest.fixture
async def process() -> Process:
    process = Process()
    process.may_undo.set()
    return process


@pytest.fixture
async def recovering(process: Process) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(process.recovery.run())
    yield task
    task.cancel()
    await asyncio.wait([task])


async def test_repeat_at_the_end_of_abandoned_run_makes_new_run(process: Process) -> None:
    """The run has ended, but the callback that removes it is still to run."""
    repeated: list[asyncio.Task[RunAnswer | NoAnswerReason]] = []

    async def wait_and_repeat(_: RunContext) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            repeated.append(asyncio.create_task(process.executions.run(build_request(), process.pay)))
        return ANSWER

    first = asyncio.create_task(process.executions.run(build_request(), wait_and_repeat))
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.wait([first])

    assert await repeated[0] == RunAnswer(ANSWER, is_replayed=False)


@pytest.mark.usefixtures("recovering")
async def test_bug_does_not_end_recovery(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.database.troubles[UNSETTLED] = RuntimeError("a bug")
    await asyncio.sleep(5)
    process.database.troubles.clear()
    await process.begin()
    await asyncio.sleep(1)

    assert await process.find_state() is CommitState.UNDONE
    assert [
        record.exc_text is not None for record in caplog.records if "is tried again" in record.message
    ] == [True]


@pytest.mark.usefixtures("recovering")
async def test_bug_after_trouble_does_not_refuse_writes_for_ever(process: Process) -> None:
    process.database.troubles["insert into owners"] = DatabaseUnavailableError("down")
    await asyncio.sleep(5)
    was_in_trouble = process.health.trouble
    process.database.troubles = {UNSETTLED: RuntimeError("a bug")}
    await asyncio.sleep(5)

    assert (was_in_trouble, process.health.trouble) == ("down", None)


@pytest.mark.usefixtures("recovering")
async def test_bug_in_an_undo_is_logged(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    process.database.troubles["state = 'undoing'"] = RuntimeError("a bug")
    await process.begin()
    await asyncio.sleep(1)
    process.database.troubles.clear()
    await asyncio.sleep(1)

    assert "execution exe-1 could not be undone; it is tried again" in caplog.text
    assert await process.find_state() is CommitState.UNDONE


async def test_end_of_recovery_waits_for_its_undos(
    process: Process, recovering: "asyncio.Task[None]"
) -> None:
    """Otherwise the transports of the services would be closed under them."""
    process.may_undo.clear()
    await process.begin()
    await asyncio.sleep(1)
    recovering.cancel()
    await asyncio.wait([recovering])

    assert process.log == ["refund", "cancelled"]


async def test_recovery_finishes_retry_of_an_operator_who_hangs_up(process: Process) -> None:
    await process.begin(CommitState.STUCK)
    process.may_undo.clear()
    retry = asyncio.create_task(process.executions.retry("exe-1"))
    await asyncio.sleep(1)
    retry.cancel()
    await asyncio.wait([retry])
    process.may_undo.set()
    await process.recovery.tick()
    await asyncio.sleep(1)

    assert await process.find_state() is CommitState.UNDONE


async def test_second_retry_does_not_end_protection_of_the_first(process: Process) -> None:
    """Recovery must not undo what an operator's retry is undoing."""
    await process.begin(CommitState.STUCK)
    process.may_undo.clear()
    retries = [asyncio.create_task(process.executions.retry("exe-1")) for _ in range(2)]
    await asyncio.sleep(1)

    assert [retry.done() for retry in retries] == [False, True]
    assert process.executions.is_running("exe-1")
    process.may_undo.set()
    await asyncio.wait(retries)


@pytest.mark.usefixtures("recovering")
@pytest.mark.parametrize("fingerprint", [b"rent", None])
async def test_nothing_starts_while_the_database_is_down(process: Process, fingerprint: bytes | None) -> None:
    process.database.troubles["insert into owners"] = DatabaseUnavailableError("down")
    await asyncio.sleep(1)
    outcome = await process.executions.run(build_request(fingerprint=fingerprint), process.pay)

    assert (outcome, process.log) == (NoAnswerReason.UNAVAILABLE, [])


@pytest.mark.parametrize("fingerprint", [b"rent", None])
async def test_nothing_starts_if_the_database_cannot_be_opened(
    process: Process, fingerprint: bytes | None
) -> None:
    process.database.troubles["select value from secrets"] = DatabaseUnavailableError("down")
    outcome = await process.executions.run(build_request(fingerprint=fingerprint), process.pay)

    assert (outcome, process.log) == (NoAnswerReason.UNAVAILABLE, [])


@pytest.mark.parametrize("fingerprint", [b"rent", None])
async def test_nothing_starts_if_the_journal_is_full(fingerprint: bytes | None) -> None:
    process = Process(max_bytes=0)
    outcome = await process.executions.run(build_request(fingerprint=fingerprint), process.pay)

    assert (outcome, process.log) == (NoAnswerReason.FULL, [])


async def test_full_journal_still_replays() -> None:
    process = Process(max_bytes=1)
    await process.executions.run(build_request(), process.pay)

    assert await process.executions.run(build_request(), process.pay) == RunAnswer(ANSWER, is_replayed=True)


async def test_callers_that_fill_their_share_are_a_warning() -> None:
    limit = StorageLimit(1_000)
    limit.update(700, {"alice": 500, "bob": 200})

    assert JournalHealth(limit).warnings == [
        "requests of 1 callers that write are refused: each fills half the journal"
    ]


async def test_trouble_of_an_execution_outlasts_a_sign_of_life() -> None:
    """A full disk may have no place for an execution, but still for a sign of life."""
    health = JournalHealth(StorageLimit(1_000))
    health.report_refusal(DatabaseUnavailableError("full"))
    health.clear()
    is_kept = health.trouble
    await asyncio.sleep(2)
    health.clear()

    assert (is_kept, health.trouble) == ("full", None)


async def test_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    health = JournalHealth(StorageLimit(1_000))
    for _ in range(3):
        health.report(DatabaseUnavailableError("down"))

    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_settlement_is_patient_again_after_a_restart(process: Process) -> None:
    """An app may be started twice; in the first life it has stopped."""
    await process.executions.drain()
    process.database.troubles[SETTLE] = DatabaseUnavailableError("down")
    run = asyncio.create_task(process.executions.run(build_request(), process.pay))
    await asyncio.sleep(20)
    process.database.troubles.clear()

    assert await run == RunAnswer(ANSWER, is_replayed=False)


async def test_caller_is_hashed_with_the_secret_from_the_start(process: Process) -> None:
    """Also if the request, which has no key, is the first to use the journal."""
    await process.executions.run(build_request(fingerprint=None), process.pay)
    (first,) = await process.database.run("select caller from executions")
    await process.database.run("delete from executions")
    await process.executions.run(build_request(), process.pay)
    (second,) = await process.database.run("select caller from executions")

    assert first == second


async def test_sealed_execution_of_a_dead_process_is_finished(process: Process) -> None:
    """It keeps the answer so far, and a repeated request gets that."""
    other = Process(process.database)
    await process.begin()
    await process.store.seal(Attempt("exe-1", "rent", 1, "caller", b"rent"), (), ANSWER)
    await process.database.run("update owners set seen_at = seen_at - 10")
    for _ in range(3):
        await other.recovery.tick()
        await asyncio.sleep(0.5)
        await process.database.run("update owners set seen_at = seen_at - 10")

    assert await other.executions.run(build_request(), other.pay) == RunAnswer(ANSWER, is_replayed=True)
    assert other.log == []


async def test_ids_depend_on_the_secret_and_on_the_app() -> None:
    """An id cannot be computed from the key alone, and the writes of two apps never have the same keys."""
    first, second = FailingDatabase(), FailingDatabase()
    ids = [
        await ExecutionRegistry(
            ExecutionStore(database, name), {}, CommitTerms(), JournalHealth(StorageLimit(1))
        ).derive_id("POST /orders", b"", b"key")
        for database, name in ((first, "shop"), (first, "shop"), (first, "bank"), (second, "shop"))
    ]

    assert (ids[0] == ids[1], len(set(ids))) == (True, 3)


@pytest.mark.usefixtures("recovering")
async def test_few_requests_wait_for_a_database_that_hangs(process: Process) -> None:
    """The others would hold places that requests which only read need."""
    await asyncio.sleep(1)
    process.database.seconds = 2.0
    process.database.troubles[""] = DatabaseUnavailableError("PostgreSQL has not answered within 2 s")
    await asyncio.sleep(5)
    requests = [
        asyncio.create_task(process.executions.run(build_request(f"exe-{number}"), process.pay))
        for number in range(20)
    ]
    await asyncio.sleep(1)
    refused = [request.done() for request in requests]
    outcomes = await asyncio.gather(*requests)

    assert (refused.count(False), set(outcomes)) == (8, {NoAnswerReason.UNAVAILABLE})
    assert process.log == []


@pytest.mark.usefixtures("recovering")
async def test_requests_do_not_wait_for_a_database_that_was_never_open(process: Process) -> None:
    process.database.seconds = 2.0
    process.database.troubles[""] = DatabaseUnavailableError("PostgreSQL has not answered within 2 s")
    await asyncio.sleep(5)
    before = asyncio.get_running_loop().time()

    assert await process.executions.derive_id("POST /orders", b"", b"key") is None
    assert asyncio.get_running_loop().time() == before


async def test_second_life_undoes_what_the_first_could_not_record(process: Process) -> None:
    """The process has not died, so its executions would be left alone for 90 seconds."""
    process.database.troubles[SETTLE] = DatabaseUnavailableError("down")
    run = asyncio.create_task(process.executions.run(build_request(), process.pay))
    await asyncio.sleep(1)
    await process.executions.drain()
    process.database.troubles.clear()
    await process.recovery.tick()
    await asyncio.sleep(1)

    assert await run is NoAnswerReason.RUNNING
    assert await process.find_state() is CommitState.UNDONE
