"""A process that was suspended, and goes on with a run that another process has undone."""

import asyncio

import pytest

from gateway.executions.record import Record, RecordState
from gateway.executions.registry import NoAnswerReason
from gateway.railway import CommitState, Err, Key, Unavailable, WriteOutcome
from tests.executions.scripted_database import FINISH_UNDO, MARK_STUCK
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    ScriptedRun,
    build_answer,
    build_intent,
    build_replay,
    build_request,
    build_writes,
    now,
)

DOWN = Err(Unavailable("down"))
KEYS = [build_intent("exe-1", place).key for place in (1, 0)]
"""Keys of the writes, the last one first."""

STUCK_WRITE = f"bank.pay under key {KEYS[1]}"


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


async def be_taken_over(scripted: ScriptedRegistry, run: SuspendedRun) -> Record:
    """Wait until *run* has begun, and let the other process take it over; return its record."""
    await run.has_begun.wait()
    record = await run.other.find()
    await scripted.database.run("update gateway_owners set seen_at = 0")
    assert await run.other.store.take_over(record)
    return record


async def be_undone(scripted: ScriptedRegistry, run: SuspendedRun) -> None:
    """Wait until *run* has begun, and let the other process undo it."""
    record = await be_taken_over(scripted, run)
    writes = build_writes("exe-1", WriteOutcome.UNDONE, WriteOutcome.UNDONE)
    assert await run.other.store.finish_undo(record, CommitState.UNDONE, writes)


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


@pytest.mark.parametrize("fingerprint", [b"rent", None])
async def test_late_write_with_failed_undo_is_stuck(
    scripted: ScriptedRegistry,
    suspended: SuspendedRun,
    caplog: pytest.LogCaptureFixture,
    fingerprint: bytes | None,
) -> None:
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.executions.run(build_request(fingerprint=fingerprint), suspended))
    await be_undone(scripted, suspended)

    suspended.may_end.set()

    assert await owner is NoAnswerReason.STUCK
    assert await scripted.read_outcomes() == (CommitState.STUCK, ["stuck", "undone"])
    assert f"could not undo what was sent after the take-over: {STUCK_WRITE}" in caplog.text


async def test_retry_of_stuck_late_write_frees_the_key(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    suspended.may_end.set()
    await owner
    assert await scripted.run(scripted.build_run()) is NoAnswerReason.STUCK
    scripted.results.clear()

    await suspended.other.executions.retry("exe-1")

    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_stuck_late_write_is_recorded_after_the_undo(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    """The other process still undoes the execution; its outcomes are kept beside the stuck one."""
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.run(suspended))
    record = await be_taken_over(scripted, suspended)
    suspended.may_end.set()
    await asyncio.sleep(35)
    assert not owner.done()

    writes = build_writes("exe-1", WriteOutcome.UNDONE, WriteOutcome.STUCK)
    assert await suspended.other.store.finish_undo(record, CommitState.STUCK, writes)

    assert await owner is NoAnswerReason.STUCK
    assert await scripted.read_outcomes() == (CommitState.STUCK, ["stuck", "stuck"])


async def test_stuck_late_write_survives_concurrent_change(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    """The row changes between the look and the compare-and-set: both are repeated."""
    scripted.results["bank.pay.undo"] = DOWN
    scripted.database.fail(MARK_STUCK, times=1)
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    suspended.may_end.set()

    assert await owner is NoAnswerReason.STUCK


async def test_stuck_late_write_of_repeated_key_is_listed(
    scripted: ScriptedRegistry, suspended: SuspendedRun, caplog: pytest.LogCaptureFixture
) -> None:
    """The record is that of the next attempt, so the stuck write gets one of its own."""
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.run(suspended))
    await be_undone(scripted, suspended)
    assert await suspended.other.run(suspended.other.build_run(answer="second")) == build_answer("second")

    suspended.may_end.set()

    assert await owner == build_replay("second")
    assert (await scripted.find()).state is RecordState.COMMITTED
    assert STUCK_WRITE in caplog.text
    assert await scripted.read_outcomes("exe-1-1") == (CommitState.STUCK, ["stuck"])
    scripted.results.clear()
    await scripted.executions.retry("exe-1-1")
    assert await scripted.read_outcomes("exe-1-1") == (CommitState.UNDONE, ["undone"])


async def test_lost_run_does_not_keep_its_process_from_recovering(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    """The other process dies too: the process takes its own execution back, and loses the database once."""
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.run(suspended))
    await be_taken_over(scripted, suspended)
    await scripted.database.run("update gateway_owners set seen_at = 0")
    recovering = asyncio.create_task(scripted.recovery.run())
    scripted.database.fail(FINISH_UNDO, times=1)
    suspended.may_end.set()

    async with asyncio.timeout(200):
        assert await owner is NoAnswerReason.STUCK

    assert (await scripted.find()).state is RecordState.STUCK
    recovering.cancel()


async def test_stop_ends_wait_for_undo_of_other_process(
    scripted: ScriptedRegistry, suspended: SuspendedRun
) -> None:
    scripted.results["bank.pay.undo"] = DOWN
    owner = asyncio.create_task(scripted.run(suspended))
    await be_taken_over(scripted, suspended)
    suspended.may_end.set()
    await asyncio.sleep(35)
    started = now()

    await scripted.executions.drain()

    assert now() - started <= 5
    assert await owner is NoAnswerReason.RUNNING


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
