"""A process that was suspended, and goes on with a run that another process has undone."""

import asyncio

import pytest

from gateway.executions.registry import NoAnswerReason
from gateway.railway import CommitState, Err, Key, Unavailable, WriteOutcome
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    ScriptedRun,
    build_answer,
    build_intent,
    build_replay,
    build_request,
    build_writes,
)

KEYS = [build_intent("exe-1", place).key for place in (1, 0)]
"""Keys of the writes, the last one first."""


class SuspendedRun(ScriptedRun):
    """Run that is taken over by another process before it ends."""

    other: ScriptedRegistry

    def note(self, *outcomes: WriteOutcome) -> None:
        """Let the run learn the outcomes of its writes."""
        for place, outcome in enumerate(outcomes):
            key = Key(build_intent(self.execution_id, place).key)
            self.contexts[0].journal.note(self.execution_id, key, outcome)


@pytest.fixture
async def suspended(scripted: ScriptedRegistry) -> SuspendedRun:
    """A run that has begun, and that another process has taken over and undone."""
    run = SuspendedRun("exe-1", "paid")
    run.may_end.clear()
    run.other = await scripted.start_process()
    return run


async def be_undone(scripted: ScriptedRegistry, run: SuspendedRun) -> None:
    """Wait until *run* has begun, and let the other process undo it."""
    await run.has_begun.wait()
    record = await run.other.find()
    await scripted.database.run("update owners set seen_at = 0")
    assert await run.other.store.take_over(record)
    assert await run.other.store.finish_undo(record, CommitState.UNDONE, build_writes())


async def test_late_writes_are_undone(scripted: ScriptedRegistry, suspended: SuspendedRun) -> None:
    """The service of a write may have executed it after the other process has undone it."""
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    suspended.note(WriteOutcome.DONE, WriteOutcome.UNKNOWN)

    suspended.may_end.set()

    assert await owner is NoAnswerReason.UNDONE
    assert [write.key for write in scripted.sent_writes] == KEYS
    assert suspended.other.undone == []


async def test_refused_late_write_is_not_undone(scripted: ScriptedRegistry, suspended: SuspendedRun) -> None:
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    suspended.note(WriteOutcome.UNDONE, WriteOutcome.REFUSED)

    suspended.may_end.set()

    assert await owner is NoAnswerReason.UNDONE
    assert scripted.sent_writes == []


async def test_late_write_without_undo_is_logged(
    scripted: ScriptedRegistry, suspended: SuspendedRun, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.results["bank.pay.undo"] = Err(Unavailable("down"))
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)

    suspended.may_end.set()

    assert await owner is NoAnswerReason.UNDONE
    assert (
        f"could not undo writes that were sent after the take-over: bank.pay under key {KEYS[1]}"
        in caplog.text
    )


async def test_late_writes_of_unrepeatable_request_are_undone(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    owner = asyncio.create_task(scripted.executions.run(build_request(fingerprint=None), suspended))
    await be_undone(scripted, suspended)

    suspended.may_end.set()

    assert await owner is NoAnswerReason.UNDONE
    assert [write.key for write in scripted.sent_writes] == KEYS


async def test_late_writes_are_undone_before_the_answer(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    assert await suspended.other.run(suspended.other.build_run(answer="second")) == build_answer("second")
    scripted.may_undo.clear()
    suspended.may_end.set()

    await asyncio.sleep(1)

    assert not owner.done()
    scripted.may_undo.set()
    assert await owner == build_replay("second")
