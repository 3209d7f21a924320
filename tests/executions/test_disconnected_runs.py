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
from tests.executions.scripted_runs import World, begin_commit, beginning, now, settled, ticket

PAID = RunAnswer("paid", is_replayed=False)
REPLAYED = RunAnswer("paid", is_replayed=True)


async def ends(task: "asyncio.Task[object]") -> None:
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_before_its_commit_a_run_is_cancelled_with_its_request_and_awaited(world: World) -> None:
    run = world.run()
    run.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await settled()

    owner.cancel()
    await ends(owner)

    assert run.log == ["started", "cancelled", "cleaned up"]
    assert await world.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)


async def test_once_its_commit_has_begun_a_run_goes_on_without_its_request(world: World) -> None:
    run = world.run()
    run.seconds = 3
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await run.has_begun.wait()

    owner.cancel()
    await ends(owner)

    assert now() == 0
    assert await world.executions.run(ticket(), world.run()) == REPLAYED
    assert run.log == ["started", "begun", "ended"]


async def test_who_waits_for_a_run_whose_request_hung_up_before_its_commit_makes_one(world: World) -> None:
    abandoned, second = world.run(), world.run()
    abandoned.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), abandoned))
    await settled()
    waiter = asyncio.create_task(world.executions.run(ticket(), second))
    await settled()

    owner.cancel()

    assert await waiter == PAID
    assert abandoned.log[-1] == "cleaned up"
    assert second.log == ["started", "begun", "ended"]


async def test_who_waits_for_a_run_whose_request_hung_up_after_its_commit_began_has_the_answer(
    world: World,
) -> None:
    run = world.run()
    run.seconds = 3
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(world.executions.run(ticket(), world.run()))
    await settled()

    owner.cancel()

    assert await waiter == REPLAYED


@pytest.mark.parametrize("has_begun", [False, True])
async def test_who_only_waits_may_hang_up_and_nothing_happens_to_the_run(
    world: World, *, has_begun: bool
) -> None:
    run = world.run()
    (run.ends if has_begun else run.begins).clear()
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await settled()
    waiter = asyncio.create_task(world.executions.run(ticket(), world.run()))
    await settled()

    waiter.cancel()
    await ends(waiter)

    run.begins.set()
    run.ends.set()
    assert await owner == PAID


async def test_a_request_that_hangs_up_twice_does_not_wait_for_what_cleans_up(world: World) -> None:
    run = world.run()
    run.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await settled()

    owner.cancel()
    await settled()
    owner.cancel()
    await ends(owner)

    assert run.log == ["started", "cancelled"]
    await world.executions.drain()
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


async def test_a_request_that_hangs_up_just_before_the_commit_begins_keeps_it_from_beginning() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(ticket(), bank.work))
    # From here to the first line of the commit, which is a task of its own, it is the owner's turn.
    bank.at_the_last_moment = owner.cancel
    await ends(owner)

    assert (bank.times, await bank.executions.find("exe-1")) == (0, Err(EXECUTION_NOT_FOUND))
    bank.at_the_last_moment = lambda: None
    assert await bank.executions.run(ticket(), bank.work) == PAID
    assert bank.times == 1


async def test_a_request_that_hangs_up_just_after_the_commit_began_does_not_stop_it() -> None:
    bank = Bank()
    owner = asyncio.create_task(bank.executions.run(ticket(), bank.work))
    # The owner hears of it once the commit, which is a task of its own, has had its first turn.
    bank.at_the_last_moment = lambda: asyncio.get_running_loop().call_soon(owner.cancel)
    await ends(owner)

    assert now() == 0
    assert await bank.executions.run(ticket(), bank.work) == REPLAYED
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


async def test_a_request_that_hangs_up_while_the_commit_begins_does_not_stop_it(bank: Bank) -> None:
    owner = asyncio.create_task(bank.executions.run(ticket(), bank.work))
    await asyncio.sleep(0.5)

    owner.cancel()
    await ends(owner)

    assert now() == 0.5
    assert await bank.executions.run(ticket(), bank.work) == REPLAYED
    assert bank.times == 1


async def test_at_a_deadline_that_passes_while_the_commit_begins_it_runs(bank: Bank) -> None:
    assert await bank.executions.run(ticket(deadline=0.5), bank.work) is NoAnswerReason.RUNNING

    found = (await bank.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.state, found.writes) == (CommitState.RUNNING, ())
    assert await bank.executions.run(ticket(), bank.work) == REPLAYED


@pytest.mark.parametrize("hangs_up", [False, True])
async def test_a_commit_that_could_not_begin_leaves_its_id_to_the_next(
    bank: Bank, slow: Slow, *, hangs_up: bool
) -> None:
    slow.bug = OSError("disk full")
    owner = asyncio.create_task(bank.executions.run(ticket(), guarded(bank)))
    await asyncio.sleep(0.5)
    waiter = asyncio.create_task(bank.executions.run(ticket(), bank.work))
    if hangs_up:
        owner.cancel()
    failed = await waiter
    slow.bug = None

    assert failed == RunAnswer("disk full", is_replayed=False)
    assert hangs_up or owner.result() == failed
    assert await bank.executions.run(ticket(), bank.work) == PAID
    assert bank.times == 1


def guarded(bank: Bank) -> Work[str]:
    async def work() -> str:
        try:
            return await bank.work()
        except OSError as error:
            return str(error)

    return work


async def test_a_second_commit_of_one_run_fails_without_giving_the_id_of_the_first_away(world: World) -> None:
    async def twice() -> str:
        await world.run()()
        with pytest.raises(ValueError, match="has a commit already"):
            await begin_commit(world.executions, beginning())
        return "paid"

    assert await world.executions.run(ticket(), twice) == PAID
    assert await world.executions.run(ticket(), world.run()) == REPLAYED
