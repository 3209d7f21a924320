"""Retry of stuck undos by an operator."""

import asyncio
from weakref import ref

import pytest

from gateway.executions.registry import EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK
from gateway.railway import (
    UNANSWERED,
    CommitState,
    Conflict,
    Err,
    RunContext,
    SentWrite,
    Unavailable,
    WriteOutcome,
)
from tests.executions.scripted_runs import ScriptedRegistry, build_commit_start, build_intent, settle

DOWN = Err(Unavailable("down"))


async def test_retry_undoes_writes_in_reverse_order(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()

    retried = (await scripted.executions.retry("exe-1")).value_or(None)
    assert retried is not None
    assert retried.state is CommitState.UNDONE
    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]
    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "undone"])


@pytest.mark.parametrize("outcome", [WriteOutcome.UNDONE, WriteOutcome.REFUSED])
async def test_retry_undoes_only_stuck_writes(scripted: ScriptedRegistry, outcome: WriteOutcome) -> None:
    await scripted.make_stuck("exe-1", outcome, WriteOutcome.STUCK)

    await scripted.executions.retry("exe-1")

    assert scripted.undone == ["shop.ship.undo"]
    assert await scripted.read_outcomes() == (CommitState.UNDONE, [outcome.value, "undone"])


@pytest.mark.parametrize("result", [DOWN, RuntimeError("a bug")])
async def test_write_with_failed_undo_stays_stuck_after_retry(
    scripted: ScriptedRegistry, result: Err[Unavailable] | Exception
) -> None:
    await scripted.make_stuck()
    scripted.results["shop.ship.undo"] = result

    retried = (await scripted.executions.retry("exe-1")).value_or(None)
    assert retried is not None
    assert retried.state is CommitState.STUCK
    assert [write.outcome for write in retried.writes] == [WriteOutcome.UNDONE, WriteOutcome.STUCK]
    assert await scripted.read_outcomes() == (CommitState.STUCK, ["undone", "stuck"])


async def test_next_retry_undoes_remaining_writes(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    scripted.results["shop.ship.undo"] = DOWN
    await scripted.executions.retry("exe-1")
    scripted.results.clear()
    scripted.undone.clear()

    await scripted.executions.retry("exe-1")

    assert scripted.undone == ["shop.ship.undo"]
    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "undone"])


async def test_bug_in_retried_undo_is_logged(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    await scripted.make_stuck()
    scripted.results["bank.pay.undo"] = RuntimeError("a bug")

    await scripted.executions.retry("exe-1")

    assert "bank.pay.undo raised an exception; the write under key exe-1.settlement.0.bank.pay" in caplog.text


async def test_retry_of_missing_execution_is_not_found(scripted: ScriptedRegistry) -> None:
    assert await scripted.executions.retry("exe-1") == Err(EXECUTION_NOT_FOUND)


@pytest.mark.parametrize("state", [CommitState.RUNNING, CommitState.COMMITTED, CommitState.UNDONE])
async def test_retry_needs_stuck_execution(scripted: ScriptedRegistry, state: CommitState) -> None:
    await scripted.records.begin(build_commit_start())
    if state is not CommitState.RUNNING:
        scripted.records.end("exe-1", state)

    assert await scripted.executions.retry("exe-1") == Err(EXECUTION_NOT_STUCK)
    assert scripted.undone == []


async def test_concurrent_retry_is_conflict(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()

    second = await scripted.executions.retry("exe-1")
    scripted.may_undo.set()

    assert isinstance(second, Err)
    assert isinstance(second.error, Conflict)
    assert (await first).map(lambda execution: execution.state).value_or(None) is CommitState.UNDONE
    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


async def test_executions_are_retried_concurrently(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck("exe-1")
    await scripted.make_stuck("exe-2")

    await asyncio.gather(scripted.executions.retry("exe-1"), scripted.executions.retry("exe-2"))

    assert [await scripted.read_outcomes(f"exe-{n}") for n in (1, 2)] == [
        (CommitState.UNDONE, ["undone", "undone"])
    ] * 2


async def test_cancelled_retry_can_be_repeated(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()
    first.cancel()
    await asyncio.wait((first,))
    scripted.may_undo.set()

    await scripted.executions.retry("exe-1")

    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "undone"])


async def test_retry_passes_kept_answer_and_age(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    key = build_intent("exe-1", 0).key
    keep = scripted.executions.prepare_context(RunContext()).keep_stuck
    assert keep is not None
    keep(SentWrite(key, "receipt-1", age=3.0))
    await asyncio.sleep(4)
    scripted.results["bank.pay.undo"] = DOWN
    await scripted.executions.retry("exe-1")
    scripted.results.clear()
    await scripted.executions.retry("exe-1")

    sent = [write for write in scripted.sent_writes if write.key == key]
    assert sent == [SentWrite(key, "receipt-1", age=7.0)] * 2


async def test_retry_of_other_process_has_no_answer(scripted: ScriptedRegistry) -> None:
    """The age counts from the end of the commit, since the journal knows no other time."""
    await scripted.make_stuck()
    await asyncio.sleep(4)
    await scripted.executions.retry("exe-1")

    assert {(write.answer, write.age) for write in scripted.sent_writes} == {(UNANSWERED, 4.0)}


async def test_undone_write_is_forgotten(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    keep = scripted.executions.prepare_context(RunContext()).keep_stuck
    assert keep is not None
    answer = Answer()
    keep(SentWrite(build_intent("exe-1", 0).key, answer))
    await scripted.executions.retry("exe-1")
    scripted.sent_writes.clear()
    kept = ref(answer)
    del answer

    assert kept() is None


class Answer:
    """Answer whose lifetime is observed."""
