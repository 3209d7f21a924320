"""Requests that are cancelled, each before, after and in the very moment in which the commit begins."""

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
    commit_start,
    now,
    run_request,
    settle,
)

PAID = RunAnswer("paid", is_replayed=False)
REPLAYED = RunAnswer("paid", is_replayed=True)


async def ends(task: "asyncio.Task[object]") -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_run_is_cancelled_with_its_request_before_the_commit(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await settle()

    owner.cancel()
    await ends(owner)

    assert run.log == ["started", "cancelled", "cleaned up"]
    assert await scripted.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)


async def test_run_continues_without_its_request_once_committing(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await run.has_begun.wait()

    owner.cancel()
    await ends(owner)

    assert now() == 0
    assert await scripted.executions.run(run_request(), scripted.run()) == REPLAYED
    assert run.log == ["started", "begun", "ended"]


async def test_waiting_request_replaces_a_run_cancelled_before_commit(
    scripted: ScriptedRegistry,
) -> None:
    abandoned, second = scripted.run(), scripted.run()
    abandoned.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), abandoned))
    await settle()
    waiter = asyncio.create_task(scripted.executions.run(run_request(), second))
    await settle()

    owner.cancel()

    assert await waiter == PAID
    assert abandoned.log[-1] == "cleaned up"
    assert second.log == ["started", "begun", "ended"]


async def test_waiting_request_gets_the_answer_of_a_disconnected_run(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(scripted.executions.run(run_request(), scripted.run()))
    await settle()

    owner.cancel()

    assert await waiter == REPLAYED


@pytest.mark.parametrize("has_begun", [False, True])
async def test_disconnect_of_a_waiting_request_leaves_the_run_alone(
    scripted: ScriptedRegistry, *, has_begun: bool
) -> None:
    run = scripted.run()
    (run.ends if has_begun else run.begins).clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await settle()
    waiter = asyncio.create_task(scripted.executions.run(run_request(), scripted.run()))
    await settle()

    waiter.cancel()
    await ends(waiter)

    run.begins.set()
    run.ends.set()
    assert await owner == PAID


async def test_second_cancellation_does_not_wait_for_the_cleanup(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await settle()

    owner.cancel()
    await settle()
    owner.cancel()
    await ends(owner)

    assert run.log == ["started", "cancelled"]
    await scripted.executions.drain()
    assert run.log == ["started", "cancelled", "cleaned up"]


@dataclass
class Bank:
    """One write, and a pipeline that does something at the last moment before its commit."""

    records: ExecutionJournal = field(default_factory=MemoryJournal)
    at_the_last_moment: Callable[[], object] = lambda: None
    times: int = 0

    def __post_init__(self) -> None:
        self.undo = Undo("bank.return", self.pay)
        self.executions = ExecutionRegistry[str](self.records, {"bank.return": self.undo}, CommitTerms())

    async def pay(self, _: Key) -> Result[str, Failure]:
        self.times += 1
        await asyncio.sleep(1)
        return Ok("paid")

    async def work(self) -> str:
        write: Write[str, Failure] = Write("bank.pay", self.pay, undo=self.undo)

        @railway
        async def paying(run: Run[Failure]) -> str:
            self.at_the_last_moment()
            (paid,) = await run.commit("settlement", write)
            return paid

        context = self.executions.prepare_context(RunContext(execution_id="exe-1"))
        return (await paying.on(context)()).value_or("not")


async def test_disconnect_just_before_the_commit_prevents_it() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(run_request(), bank.work))
    # From here to the first line of the commit, which is a task of its own, it is the owner's turn.
    bank.at_the_last_moment = owner.cancel
    await ends(owner)

    assert (bank.times, await bank.executions.find("exe-1")) == (0, Err(EXECUTION_NOT_FOUND))
    bank.at_the_last_moment = lambda: None
    assert await bank.executions.run(run_request(), bank.work) == PAID
    assert bank.times == 1


async def test_disconnect_just_after_the_commit_began_is_ignored() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(run_request(), bank.work))
    # The owner hears of it once the commit, which is a task of its own, has had its first turn.
    bank.at_the_last_moment = lambda: asyncio.get_running_loop().call_soon(owner.cancel)
    await ends(owner)

    assert now() == 0
    assert await bank.executions.run(run_request(), bank.work) == REPLAYED
    assert bank.times == 1


@dataclass
class Slow:
    """A journal on a disk: to begin takes its time, and may raise a *bug*."""

    seconds: float = 1.0
    bug: Exception | None = None
    memory: MemoryJournal = field(default_factory=MemoryJournal)

    async def begin(self, commit: CommitStart, /) -> None:
        await asyncio.sleep(self.seconds)
        if self.bug is not None:
            raise self.bug
        await self.memory.begin(commit)

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        await self.memory.note(execution_id, key, outcome, value)

    async def end(self, execution_id: str, state: CommitState, /) -> None:
        await self.memory.end(execution_id, state)

    async def find(self, execution_id: str, /) -> Execution | None:
        return await self.memory.find(execution_id)

    async def page(self, state: CommitState | None, limit: int, cursor: int | None, /) -> Page:
        return await self.memory.page(state, limit, cursor)


@pytest.fixture
async def slow() -> Slow:
    return Slow()


@pytest.fixture
async def bank(slow: Slow) -> Bank:
    return Bank(slow)


async def test_disconnect_while_the_commit_begins_is_ignored(bank: Bank) -> None:
    owner = asyncio.create_task(bank.executions.run(run_request(), bank.work))
    await asyncio.sleep(0.5)

    owner.cancel()
    await ends(owner)

    assert now() == 0.5
    assert await bank.executions.run(run_request(), bank.work) == REPLAYED
    assert bank.times == 1


async def test_deadline_while_the_commit_begins_is_ignored(bank: Bank) -> None:
    assert await bank.executions.run(run_request(deadline=0.5), bank.work) is NoAnswerReason.RUNNING

    found = (await bank.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.state, found.writes) == (CommitState.RUNNING, ())
    assert await bank.executions.run(run_request(), bank.work) == REPLAYED


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_commit_that_could_not_begin_frees_its_id(bank: Bank, slow: Slow, *, hangs_up: bool) -> None:
    slow.bug = OSError("disk full")
    owner = asyncio.create_task(bank.executions.run(run_request(), guarded(bank)))
    await asyncio.sleep(0.5)
    waiter = asyncio.create_task(bank.executions.run(run_request(), bank.work))
    if hangs_up:
        owner.cancel()
    failed = await waiter
    slow.bug = None

    assert failed == RunAnswer("disk full", is_replayed=False)
    assert hangs_up or owner.result() == failed
    assert await bank.executions.run(run_request(), bank.work) == PAID
    assert bank.times == 1


def guarded(bank: Bank) -> Work[str]:
    async def work() -> str:
        try:
            return await bank.work()
        except OSError as error:
            return str(error)

    return work


async def test_second_commit_of_a_run_keeps_the_first_registered(
    scripted: ScriptedRegistry,
) -> None:
    async def twice() -> str:
        await scripted.run()()
        with pytest.raises(ValueError, match="has a commit already"):
            await begin_commit(scripted.executions, commit_start())
        return "paid"

    assert await scripted.executions.run(run_request(), twice) == PAID
    assert await scripted.executions.run(run_request(), scripted.run()) == REPLAYED
