"""Executions that are committed while their later stages are made: answers so far, and final ones."""

import asyncio

import pytest

from gateway.executions.answer import Answer
from gateway.executions.record import RecordState
from gateway.executions.registry import RunAnswer
from gateway.railway import CommitState, Rerun, RunContext
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    begin_commit,
    build_answer,
    build_commit_start,
    build_replay,
    now,
    settle,
)

SO_FAR = "so far"


class SealingRun:
    """Run that seals its commit, and then makes a stage that ends when it may."""

    def __init__(self) -> None:
        self.is_sealed = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self, context: RunContext) -> Answer:
        if context.rerun is not None:
            return build_answer(SO_FAR).answer
        start = build_commit_start()
        await begin_commit(context, start)
        context.journal.end(start.execution_id, CommitState.COMMITTED)
        await context.journal.seal(start.execution_id, Rerun(()))
        self.is_sealed.set()
        await self.may_end.wait()
        return build_answer("whole").answer


@pytest.fixture
async def other(scripted: ScriptedRegistry) -> ScriptedRegistry:
    """Another process with the same journal."""
    return await scripted.start_process()


@pytest.fixture
async def sealing(scripted: ScriptedRegistry) -> tuple[SealingRun, "asyncio.Task[object]"]:
    """A run that is sealed, and the request that waits for it."""
    run = SealingRun()
    task: asyncio.Task[object] = asyncio.create_task(scripted.run(run))
    await run.is_sealed.wait()
    return run, task


async def silence(scripted: ScriptedRegistry, other: ScriptedRegistry) -> None:
    """Let *other* take the process for dead, and recover its executions."""
    for _ in range(2):
        await scripted.database.run("update gateway_owners set seen_at = 0")
        await other.tick()
        await settle()


async def test_other_process_waits_for_whole_answer(
    other: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    run, task = sealing
    waiter = asyncio.create_task(other.run(other.build_run()))
    await asyncio.sleep(1)
    run.may_end.set()

    assert await waiter == build_replay("whole")
    assert await task == build_answer("whole")
    assert now() < 1.2


async def test_sealed_execution_is_shown_as_committed(
    other: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    found = await other.find()

    assert (found.state, found.execution.state) == (RecordState.SEALED, CommitState.COMMITTED)
    assert (await other.store.page(CommitState.COMMITTED, 9, None)).executions == (found.execution,)
    assert not sealing[1].done()


async def test_answer_so_far_is_kept_if_owner_is_silent(
    scripted: ScriptedRegistry, other: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    run, task = sealing
    await silence(scripted, other)

    assert await other.run(other.build_run()) == build_replay(SO_FAR)
    assert other.undone == []
    run.may_end.set()
    assert await task == build_replay(SO_FAR)
    assert scripted.undone == []
    assert (await other.find()).state is RecordState.COMMITTED


async def test_seal_of_unknown_undos_is_finished(
    scripted: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    other = await scripted.start_process(names=())
    await silence(scripted, other)

    assert await other.run(other.build_run()) == build_replay(SO_FAR)
    assert not sealing[1].done()


async def test_seal_of_living_owner_is_not_finished(
    other: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    assert not await other.store.finish_seal(await other.find())
    assert not await other.store.take_over(await other.find())
    assert not sealing[1].done()


async def test_seal_is_not_undone(
    scripted: ScriptedRegistry, other: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    """Not even by a process that has looked before the seal."""
    await scripted.database.run("update gateway_owners set seen_at = 0")

    assert not await other.store.take_over(await other.find())
    assert not sealing[1].done()


async def test_whole_answer_is_replayed_later(
    scripted: ScriptedRegistry, sealing: tuple[SealingRun, "asyncio.Task[object]"]
) -> None:
    run, task = sealing
    run.may_end.set()

    assert isinstance(await task, RunAnswer)
    assert await scripted.run(scripted.build_run()) == build_replay("whole")
