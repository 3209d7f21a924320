"""Requests that are cancelled before, during or after the begin of their run's commit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.executions.execution import Execution, ExecutionJournal, Page
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import (
    EXECUTION_NOT_FOUND,
    ExecutionRegistry,
    NoAnswerReason,
    RunAnswer,
    Work,
)
from gateway.railway import (
    CommitStart,
    CommitState,
    CommitTerms,
    Err,
    Failure,
    Key,
    Ok,
    Rerun,
    Result,
    Run,
    RunContext,
    Undo,
    Write,
    WriteOutcome,
    railway,
)
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    begin_commit,
    build_commit_start,
    build_request,
    now,
    settle,
)

PAID = RunAnswer("paid", is_replayed=False)
REPLAYED = RunAnswer("paid", is_replayed=True)


async def await_cancellation(task: "asyncio.Task[object]") -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_disconnect_before_commit_cancels_run(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.build_run()
    run.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()

    owner.cancel()
    await await_cancellation(owner)

    assert run.log == ["started", "cancelled", "cleaned up"]
    assert await scripted.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)


async def test_committing_run_outlives_request(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.build_run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await run.has_begun.wait()

    owner.cancel()
    await await_cancellation(owner)

    assert now() == 0
    assert await scripted.executions.run(build_request(), scripted.build_run()) == REPLAYED
    assert run.log == ["started", "begun", "ended"]


async def test_waiting_request_replaces_cancelled_run(
    scripted: ScriptedRegistry,
) -> None:
    abandoned, second = scripted.build_run(), scripted.build_run()
    abandoned.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), abandoned))
    await settle()
    waiter = asyncio.create_task(scripted.executions.run(build_request(), second))
    await settle()

    owner.cancel()

    assert await waiter == PAID
    assert abandoned.log[-1] == "cleaned up"
    assert second.log == ["started", "begun", "ended"]


async def test_waiter_gets_answer_after_owner_disconnects(
    scripted: ScriptedRegistry,
) -> None:
    """A waiting request gets the answer of a run after the run's own request has disconnected."""
    run = scripted.build_run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(scripted.executions.run(build_request(), scripted.build_run()))
    await settle()

    owner.cancel()

    assert await waiter == REPLAYED


@pytest.mark.parametrize("has_begun", [False, True])
async def test_disconnect_of_waiting_request_keeps_run(
    scripted: ScriptedRegistry, *, has_begun: bool
) -> None:
    run = scripted.build_run()
    (run.may_end if has_begun else run.may_begin).clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()
    waiter = asyncio.create_task(scripted.executions.run(build_request(), scripted.build_run()))
    await settle()

    waiter.cancel()
    await await_cancellation(waiter)

    run.may_begin.set()
    run.may_end.set()
    assert await owner == PAID


async def test_second_cancellation_ends_waiting(
    scripted: ScriptedRegistry,
) -> None:
    """A request that is cancelled twice does not wait for the cleanup of its run."""
    run = scripted.build_run()
    run.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()

    owner.cancel()
    await settle()
    owner.cancel()
    await await_cancellation(owner)

    assert run.log == ["started", "cancelled"]
    await scripted.executions.drain()
    assert run.log == ["started", "cancelled", "cleaned up"]


@dataclass
class Bank:
    """Pipeline with a single write; the pipeline calls *before_commit* just before its commit."""

    records: ExecutionJournal = field(default_factory=MemoryJournal)
    before_commit: Callable[[], object] = lambda: None
    payments: int = 0

    def __post_init__(self) -> None:
        self.undo = Undo("bank.return", self.pay)
        self.executions = ExecutionRegistry[str](self.records, {"bank.return": self.undo}, CommitTerms())

    async def pay(self, _: object) -> Result[str, Failure]:
        self.payments += 1
        await asyncio.sleep(1)
        return Ok("paid")

    async def work(self) -> str:
        write: Write[str, Failure] = Write("bank.pay", self.pay, undo=self.undo)

        @railway
        async def pay(run: Run[Failure]) -> str:
            self.before_commit()
            (paid,) = await run.commit("settlement", write)
            return paid

        context = self.executions.prepare_context(RunContext(execution_id="exe-1"))
        return (await pay.on(context)()).value_or("not")


async def test_disconnect_just_before_commit_prevents_commit() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    # The commit is a task of its own, so the cancelled owner has its turn before the commit's first line.
    bank.before_commit = owner.cancel
    await await_cancellation(owner)

    assert (bank.payments, await bank.executions.find("exe-1")) == (0, Err(EXECUTION_NOT_FOUND))
    bank.before_commit = lambda: None
    assert await bank.executions.run(build_request(), bank.work) == PAID
    assert bank.payments == 1


async def test_disconnect_just_after_commit_begins_keeps_commit() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    # The commit is a task of its own, and has its first turn before the cancellation reaches the owner.
    bank.before_commit = lambda: asyncio.get_running_loop().call_soon(owner.cancel)
    await await_cancellation(owner)

    assert now() == 0
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED
    assert bank.payments == 1


@dataclass
class SlowJournal:
    """Journal that takes *seconds* to begin a commit, and then raises *bug* unless it is None."""

    seconds: float = 1.0
    bug: Exception | None = None
    memory: MemoryJournal = field(default_factory=MemoryJournal)

    async def begin(self, commit: CommitStart, /) -> None:
        await asyncio.sleep(self.seconds)
        if self.bug is not None:
            raise self.bug
        await self.memory.begin(commit)

    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        self.memory.note(execution_id, key, outcome)

    def end(self, execution_id: str, state: CommitState, /) -> None:
        self.memory.end(execution_id, state)

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        await self.memory.seal(execution_id, rerun)

    def get(self, execution_id: str, /) -> Execution | None:
        return self.memory.get(execution_id)

    async def find(self, execution_id: str, /) -> Execution | None:
        return await self.memory.find(execution_id)

    async def page(self, state: CommitState | None, limit: int, cursor: int | None, /) -> Page:
        return await self.memory.page(state, limit, cursor)


@pytest.fixture
async def slow_journal() -> SlowJournal:
    return SlowJournal()


@pytest.fixture
async def bank(slow_journal: SlowJournal) -> Bank:
    return Bank(slow_journal)


async def test_disconnect_during_journal_begin_keeps_commit(bank: Bank) -> None:
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    await asyncio.sleep(0.5)

    owner.cancel()
    await await_cancellation(owner)

    assert now() == 0.5
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED
    assert bank.payments == 1


async def test_deadline_during_journal_begin_keeps_commit(bank: Bank) -> None:
    assert await bank.executions.run(build_request(deadline=0.5), bank.work) is NoAnswerReason.RUNNING

    found = (await bank.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.state, found.writes) == (CommitState.RUNNING, ())
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED


@pytest.mark.parametrize("disconnects", [False, True])
async def test_failed_journal_begin_frees_execution_id(
    bank: Bank, slow_journal: SlowJournal, *, disconnects: bool
) -> None:
    slow_journal.bug = OSError("disk full")
    owner = asyncio.create_task(bank.executions.run(build_request(), catch_disk_error(bank)))
    await asyncio.sleep(0.5)
    waiter = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    if disconnects:
        owner.cancel()
    failed = await waiter
    slow_journal.bug = None

    assert failed == RunAnswer("disk full", is_replayed=False)
    assert disconnects or owner.result() == failed
    assert await bank.executions.run(build_request(), bank.work) == PAID
    assert bank.payments == 1


def catch_disk_error(bank: Bank) -> Work[str]:
    async def work() -> str:
        try:
            return await bank.work()
        except OSError as error:
            return str(error)

    return work


async def test_refused_second_commit_keeps_stored_answer(
    scripted: ScriptedRegistry,
) -> None:
    async def commit_twice() -> str:
        await scripted.build_run()()
        with pytest.raises(ValueError, match="has a commit already"):
            await begin_commit(scripted.executions, build_commit_start())
        return "paid"

    assert await scripted.executions.run(build_request(), commit_twice) == PAID
    assert await scripted.executions.run(build_request(), scripted.build_run()) == REPLAYED
