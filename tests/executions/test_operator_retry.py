"""Retry of stuck undos by an operator."""

import asyncio
from datetime import UTC, datetime
from weakref import ref

import pytest

from gateway.executions.answer import Answer as StoredAnswer
from gateway.executions.database import DatabaseUnavailableError
from gateway.executions.registry import EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK
from gateway.railway import (
    UNANSWERED,
    CommitState,
    Conflict,
    Err,
    SentWrite,
    Unavailable,
    WriteOutcome,
)
from tests.executions.scripted_database import FINISH_UNDO
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    build_attempt,
    build_intent,
    build_writes,
    now,
    settle,
)

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
    scripted: ScriptedRegistry, result: Err[Unavailable] | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await scripted.make_stuck()
    scripted.results["shop.ship.undo"] = result

    retried = (await scripted.executions.retry("exe-1")).value_or(None)
    assert retried is not None
    assert retried.state is CommitState.STUCK
    assert [write.outcome for write in retried.writes] == [WriteOutcome.UNDONE, WriteOutcome.STUCK]
    assert await scripted.read_outcomes() == (CommitState.STUCK, ["undone", "stuck"])
    assert caplog.messages[-1] == (
        "execution exe-1 of transfers is still stuck: could not undo shop.ship under key "
        "exe-1.settlement.1.shop.ship"
    )


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
    await scripted.make_running()
    if state is not CommitState.RUNNING:
        await scripted.store.settle(build_attempt(), state, build_writes(), None)

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


async def test_simultaneous_retries_undo_once(scripted: ScriptedRegistry) -> None:
    """Both have seen that the execution is stuck, before either has taken it."""
    await scripted.make_stuck()

    results = await asyncio.gather(*(scripted.executions.retry("exe-1") for _ in range(2)))

    assert sorted(isinstance(result, Err) for result in results) == [False, True]
    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


async def test_refused_retry_does_not_end_the_first(scripted: ScriptedRegistry) -> None:
    """The recovery must not undo what an operator's retry is undoing."""
    await scripted.make_stuck()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()

    await scripted.executions.retry("exe-1")

    assert scripted.executions.is_running("exe-1")
    scripted.may_undo.set()
    await first
    assert not scripted.executions.is_running("exe-1")


async def test_executions_are_retried_concurrently(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck("exe-1")
    await scripted.make_stuck("exe-2")

    await asyncio.gather(scripted.executions.retry("exe-1"), scripted.executions.retry("exe-2"))

    assert [await scripted.read_outcomes(f"exe-{n}") for n in (1, 2)] == [
        (CommitState.UNDONE, ["undone", "undone"])
    ] * 2


async def test_cancelled_retry_is_finished_by_recovery(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()
    first.cancel()
    await asyncio.wait((first,))
    scripted.may_undo.set()

    await scripted.tick()
    await settle()

    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "undone"])


@pytest.mark.parametrize("answer", [None, StoredAnswer(500, {}, b"stuck")])
async def test_concurrent_retry_in_other_process_is_conflict(
    scripted: ScriptedRegistry, answer: StoredAnswer | None
) -> None:
    await scripted.make_running()
    writes = build_writes("exe-1", WriteOutcome.STUCK)
    await scripted.store.settle(build_attempt(), CommitState.STUCK, writes, answer)
    other = await scripted.start_process()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()

    second = await other.executions.retry("exe-1")
    scripted.may_undo.set()
    await first

    assert second == Err(Conflict("An undo of this execution is already in progress"))
    assert other.undone == []


async def test_two_processes_retry_once(scripted: ScriptedRegistry) -> None:
    """Both have seen that the execution is stuck, before either has taken it."""
    await scripted.make_stuck()
    other = await scripted.start_process()

    results = await asyncio.gather(scripted.executions.retry("exe-1"), other.executions.retry("exe-1"))

    assert sorted(isinstance(result, Err) for result in results) == [False, True]
    assert sorted([*scripted.undone, *other.undone]) == ["bank.pay.undo", "shop.ship.undo"]


async def test_retried_execution_may_be_forgotten(scripted: ScriptedRegistry) -> None:
    """The undos take longer than a day is left, for example because the machine sleeps."""
    await scripted.make_stuck()
    scripted.may_undo.clear()
    first = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()
    await scripted.database.run("delete from gateway_executions")
    scripted.may_undo.set()

    assert await first == Err(EXECUTION_NOT_FOUND)


async def test_retry_that_is_not_recorded_is_repeated(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    scripted.database.fail(FINISH_UNDO, times=1)

    with pytest.raises(DatabaseUnavailableError):
        await scripted.executions.retry("exe-1")
    assert await scripted.executions.retry("exe-1") == Err(
        Conflict("An undo of this execution is already in progress")
    )
    await scripted.tick()
    await settle()

    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "undone"])
    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"] * 2


async def test_retry_passes_kept_answer_and_age(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    key = build_intent("exe-1", 0).key
    scripted.executions.stuck_writes.keep(SentWrite(key, "receipt-1", age=3.0))
    await asyncio.sleep(4)
    scripted.results["bank.pay.undo"] = DOWN
    await scripted.executions.retry("exe-1")
    scripted.results.clear()
    await scripted.executions.retry("exe-1")

    sent = [write for write in scripted.sent_writes if write.key == key]
    assert sent[0] == SentWrite(key, "receipt-1", age=7.0)
    assert sent[-1] == SentWrite(key, "receipt-1", age=3.0 + now())


async def test_retry_of_other_process_has_no_answer(scripted: ScriptedRegistry) -> None:
    """The age counts from the end of the commit, since the journal knows no other time."""
    await scripted.make_stuck()
    ended_at = datetime.now(UTC).timestamp() - 400
    await scripted.database.run("update gateway_executions set ended_at = $1", ended_at)
    await scripted.executions.retry("exe-1")

    assert {write.answer for write in scripted.sent_writes} == {UNANSWERED}
    assert all(400 <= write.age < 800 for write in scripted.sent_writes)


async def test_undone_write_is_forgotten(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    answer = Answer()
    scripted.executions.stuck_writes.keep(SentWrite(build_intent("exe-1", 0).key, answer))
    await scripted.executions.retry("exe-1")
    scripted.sent_writes.clear()
    kept = ref(answer)
    del answer

    assert kept() is None


class Answer:
    """Answer whose lifetime is observed."""
