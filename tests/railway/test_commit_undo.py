"""Undos of a commit: their order, their retries, and stuck writes."""

import logging
from dataclasses import replace

import pytest

from gateway.railway import (
    CONCURRENT,
    SEQUENTIAL,
    UNANSWERED,
    Call,
    CommitState,
    Err,
    Failure,
    Ok,
    Run,
    SentWrite,
    Stuck,
    TimedOut,
    WriteOutcome,
    current_context,
)
from tests.railway.scripted_calls import FINE, FOREVER, MISSING, TAKEN, now
from tests.railway.scripted_writes import BUSY, LATE, Bank, Reply, payment


def list_undos(bank: Bank) -> list[str]:
    return [line.partition(".")[0] for line in bank.log if line.endswith(".undo sent")]


async def test_undos_run_in_reverse_order(bank: Bank) -> None:
    assert await bank.commit(*map(bank.write, "abc"), bank.write("d", TAKEN)) == TAKEN

    assert list_undos(bank) == ["c", "b", "a"]
    assert bank.ledger.standing == set()
    assert bank.journal.ends == [("exe-1", CommitState.UNDONE)]


async def test_undo_waits_for_previous_undo(bank: Bank) -> None:
    steps = [bank.write(name, undos=[Reply(after=2)]) for name in "ab"]

    await bank.commit(*steps, bank.write("c", TAKEN))

    assert bank.log[-5:] == ["b.undo sent", "b is undone", "a.undo sent", "a is undone", "end undone"]
    assert now() == 4


async def test_refused_write_is_not_undone(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("b", TAKEN), bank.write("c"), policy=CONCURRENT)

    assert list_undos(bank) == ["c", "a"]


@pytest.mark.parametrize("failure", [LATE, MISSING, ZeroDivisionError()], ids=repr)
async def test_failed_undo_is_retried_after_others(bank: Bank, failure: Err[TimedOut] | Exception) -> None:
    steps = bank.write("a"), bank.write("b", undos=[failure, failure, FINE]), bank.write("c")

    assert await bank.commit(*steps, bank.write("d", TAKEN)) == TAKEN
    assert list_undos(bank) == ["c", "b", "a", "b", "b"]


async def test_failed_undos_are_retried_in_same_order(bank: Bank) -> None:
    steps = [bank.write(name, undos=[BUSY, FINE]) for name in "ab"]

    await bank.commit(*steps, bank.write("c", TAKEN))

    assert list_undos(bank) == ["b", "a", "b", "a"]


async def test_undo_retries_use_key_of_write(bank: Bank) -> None:
    await bank.commit(bank.write("a", undos=[BUSY, BUSY, FINE]), bank.write("b", TAKEN))

    assert {*bank.keys["a.undo"]} == {bank.keys["a"][0]}


async def test_write_not_undone_in_budget_is_stuck(bank: Bank) -> None:
    steps = bank.write("a", undos=[BUSY]), bank.write("b"), bank.write("c", undos=[BUSY])

    result = await bank.commit(*steps, bank.write("d", TAKEN))

    assert result == Err(Stuck("Some writes could not be undone: a, c"))
    assert bank.log[-3:] == ["c is stuck", "a is stuck", "end stuck"]
    assert 29 <= now() <= 30


async def test_journal_marks_only_writes_not_undone_as_stuck(bank: Bank) -> None:
    steps = bank.write("a", undos=[BUSY]), bank.write("b"), bank.write("c", TAKEN)

    await bank.commit(*steps)

    stuck = {key for key, outcome in bank.journal.outcomes.items() if outcome is WriteOutcome.STUCK}
    assert bank.ledger.standing == stuck == {*bank.keys["a"]}


async def test_hanging_undo_leaves_time_for_others(bank: Bank) -> None:
    steps = bank.write("a"), bank.write("b"), bank.write("c", undos=[Reply(after=FOREVER)])

    result = await bank.commit(*steps, bank.write("d", TAKEN))

    assert result == Err(Stuck("Some writes could not be undone: c"))
    assert bank.log[-5:] == ["a.undo sent", "a is undone", "c.undo sent", "c is stuck", "end stuck"]
    assert 29 <= now() <= 31


async def test_every_undo_is_tried_if_all_hang(bank: Bank) -> None:
    steps = [bank.write(name, undos=[Reply(after=FOREVER)]) for name in "abc"]

    await bank.commit(*steps, bank.write("d", TAKEN))

    assert list_undos(bank) == ["c", "b", "a"]
    assert now() < 33


async def test_undo_budget_is_separate_from_commit_budget(bank: Bank) -> None:
    steps = bank.write("a", undos=[Reply(BUSY, after=20), FINE]), bank.write("b", LATE)

    assert await bank.commit(*steps) == LATE
    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_undo_exception_is_logged(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await bank.commit(bank.write("a", undos=[ZeroDivisionError(), FINE]), bank.write("b", TAKEN))

    assert caplog.messages == [
        "a.undo raised an exception; the write under key exe-1.settlement.0.a is not undone"
    ]


async def test_write_arriving_after_undo_has_no_effect(bank: Bank) -> None:
    await bank.commit(bank.write("a", Reply(LATE, lands=60), BUSY))
    await bank.wait(60)

    assert bank.ledger.tombstones == {*bank.keys["a"]}
    assert bank.ledger.standing == set()


async def test_undone_write_is_not_undone_again(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("b", undos=[BUSY, FINE]), bank.write("c", TAKEN))

    assert list_undos(bank).count("a") == 1


async def test_undo_gets_answer_before_map(bank: Bank) -> None:
    await bank.commit(bank.write("a").map(lambda value: value + 100), bank.write("b", TAKEN))

    (sent,) = bank.sent_writes
    assert (sent.key, sent.answer) == (bank.keys["a"][0], FINE.value)


async def test_undo_gets_answer_if_map_raises(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a").map(lambda value: value // 0))

    assert [sent.answer for sent in bank.sent_writes] == [FINE.value]


async def test_undo_of_unknown_write_gets_no_answer(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE))

    assert {sent.answer for sent in bank.sent_writes} == {UNANSWERED}


async def test_undo_gets_time_since_last_attempt(bank: Bank) -> None:
    """The age counts from the end of the last attempt, in which the write may have been sent."""
    slow = bank.write("a", undos=[Reply(BUSY, after=3), FINE])
    await bank.commit(slow, bank.write("b", Reply(TAKEN, after=2)))

    first, second = bank.sent_writes
    assert first.age == 2
    assert 5 < second.age < 6


async def test_stuck_write_is_kept_for_retry(bank: Bank) -> None:
    kept: list[SentWrite] = []
    context = replace(bank.build_context(), keep_stuck=kept.append)
    await payment.on(context)(bank.write("a", undos=[BUSY]), bank.write("b", TAKEN), policy=SEQUENTIAL)

    (stuck,) = kept
    assert (stuck.key, stuck.answer) == (bank.keys["a"][0], FINE.value)
    assert stuck.age > 28


async def test_answers_are_not_kept_after_commit(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        return await run.stage("announce", Call("after", read_answers).optional())

    async def read_answers() -> Ok[object]:
        return Ok(current_context().answers)

    assert await bank.run(body) == Ok((None,))
