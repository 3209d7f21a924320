"""Requests that are cancelled before, during or after the begin of their run's commit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gateway.executions.answer import Answer
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.registry import EXECUTION_NOT_FOUND, ExecutionRegistry, NoAnswerReason, RunAnswer
from gateway.executions.store import ExecutionStore
from gateway.railway import (
    CommitState,
    CommitTerms,
    Err,
    Failure,
    Ok,
    Result,
    Run,
    RunContext,
    Undo,
    Write,
    railway,
)
from tests.executions.scripted_database import BEGIN, ScriptedDatabase
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    build_answer,
    build_replay,
    build_request,
    now,
    settle,
)

PAID = build_answer("paid")
REPLAYED = build_replay("paid")


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

    database: ScriptedDatabase = field(default_factory=ScriptedDatabase)
    before_commit: Callable[[], object] = lambda: None
    payments: int = 0

    def __post_init__(self) -> None:
        self.undo = Undo("bank.return", self.pay)
        self.store = ExecutionStore(self.database, "bank")
        health = JournalHealth(StorageLimit(1_000_000))
        self.executions = ExecutionRegistry(self.store, {"bank.return": self.undo}, CommitTerms(), health)

    async def pay(self, _: object) -> Result[str, Failure]:
        self.payments += 1
        await asyncio.sleep(1)
        return Ok("paid")

    async def work(self, context: RunContext) -> Answer:
        write: Write[str, Failure] = Write("bank.pay", self.pay, undo=self.undo)

        @railway
        async def pay(run: Run[Failure]) -> str:
            self.before_commit()
            (paid,) = await run.commit("settlement", write)
            return paid

        match await pay.on(context)():
            case Ok(paid):
                return Answer(201, {}, paid.encode())
            case Err(error):
                return Answer(503, {}, str(error).encode())


@pytest.fixture
async def bank() -> Bank:
    bank = Bank()
    await bank.store.open()
    return bank


async def test_disconnect_just_before_commit_prevents_commit(bank: Bank) -> None:
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    # The commit is a task of its own, so the cancelled owner has its turn before the commit's first line.
    bank.before_commit = owner.cancel
    await await_cancellation(owner)

    assert (bank.payments, await bank.executions.find("exe-1")) == (0, Err(EXECUTION_NOT_FOUND))
    bank.before_commit = lambda: None
    assert await bank.executions.run(build_request(), bank.work) == PAID
    assert bank.payments == 1


async def test_disconnect_just_after_commit_begins_keeps_commit(bank: Bank) -> None:
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    # The commit is a task of its own, and has its first turn before the cancellation reaches the owner.
    bank.before_commit = lambda: asyncio.get_running_loop().call_soon(owner.cancel)
    await await_cancellation(owner)

    assert now() == 0
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED
    assert bank.payments == 1


@pytest.mark.parametrize("seconds", [1.5, 3.5])
async def test_disconnect_during_journal_call_keeps_commit(bank: Bank, seconds: float) -> None:
    """The request disconnects while the journal records the begin or the end; each call takes a second."""
    bank.database.seconds = 1
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    await asyncio.sleep(seconds)

    owner.cancel()
    await await_cancellation(owner)

    assert now() == seconds
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED
    assert bank.payments == 1


async def test_disconnect_during_look_into_journal_starts_nothing(bank: Bank) -> None:
    bank.database.seconds = 1
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    await asyncio.sleep(0.5)

    owner.cancel()
    await await_cancellation(owner)

    assert await bank.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)
    assert bank.payments == 0


async def test_deadline_during_journal_begin_keeps_commit(bank: Bank) -> None:
    bank.database.seconds = 1
    assert await bank.executions.run(build_request(deadline=1.5), bank.work) is NoAnswerReason.RUNNING
    bank.database.seconds = 0

    found = (await bank.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.state, len(found.writes)) == (CommitState.RUNNING, 1)
    assert await bank.executions.run(build_request(), bank.work) == REPLAYED


@pytest.mark.parametrize("disconnects", [False, True])
async def test_failed_journal_begin_frees_execution_id(bank: Bank, *, disconnects: bool) -> None:
    bank.database.seconds = 1
    bank.database.fail(BEGIN)
    owner = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    await asyncio.sleep(1.5)
    waiter = asyncio.create_task(bank.executions.run(build_request(), bank.work))
    await settle()
    if disconnects:
        owner.cancel()
    failed = await waiter
    bank.database.repair()

    assert isinstance(failed, RunAnswer)
    assert failed.answer.status == 503
    assert disconnects or owner.result() == failed
    assert bank.payments == 0
    assert await bank.executions.run(build_request(), bank.work) == PAID
    assert bank.payments == 1


async def test_repeat_at_end_of_abandoned_run_makes_new_run(scripted: ScriptedRegistry) -> None:
    """The run has ended, but the callback that removes it is still to run."""
    repeated: list[asyncio.Task[RunAnswer | NoAnswerReason]] = []

    async def wait_and_repeat(_: RunContext) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            repeated.append(asyncio.create_task(scripted.run(scripted.build_run())))
        raise AssertionError

    first = asyncio.create_task(scripted.run(wait_and_repeat))
    await settle()
    first.cancel()
    await await_cancellation(first)

    assert await repeated[0] == PAID
