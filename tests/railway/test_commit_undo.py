"""What is taken back, in which order, and what is stuck."""

import logging

import pytest

from gateway.railway import CONCURRENT, CommitState, Err, Stuck, TimedOut, WriteOutcome
from tests.railway.scripted_calls import FINE, FOREVER, MISSING, TAKEN, now
from tests.railway.scripted_writes import BUSY, LATE, Bank, Told


def undos(bank: Bank) -> list[str]:
    return [line.partition(".")[0] for line in bank.log if line.endswith(".undo sent")]


async def test_what_was_done_is_undone_the_last_first(bank: Bank) -> None:
    assert await bank.commit(*map(bank.write, "abc"), bank.write("d", TAKEN)) == TAKEN

    assert undos(bank) == ["c", "b", "a"]
    assert bank.ledger.standing == set()
    assert bank.journal.ends == [("exe-1", CommitState.UNDONE)]


async def test_one_undo_waits_for_the_one_before_it(bank: Bank) -> None:
    steps = [bank.write(name, undone=[Told(after=2)]) for name in "ab"]

    await bank.commit(*steps, bank.write("c", TAKEN))

    assert bank.log[-5:] == ["b.undo sent", "b is undone", "a.undo sent", "a is undone", "end undone"]
    assert now() == 4


async def test_what_was_refused_is_not_undone(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("b", TAKEN), bank.write("c"), policy=CONCURRENT)

    assert undos(bank) == ["c", "a"]


@pytest.mark.parametrize("failure", [LATE, MISSING, ZeroDivisionError()], ids=repr)
async def test_an_undo_that_fails_keeps_no_other_from_being_tried_and_is_tried_again(
    bank: Bank, failure: Err[TimedOut] | Exception
) -> None:
    steps = bank.write("a"), bank.write("b", undone=[failure, failure, FINE]), bank.write("c")

    assert await bank.commit(*steps, bank.write("d", TAKEN)) == TAKEN
    assert undos(bank) == ["c", "b", "a", "b", "b"]


async def test_undos_that_fail_are_tried_again_in_the_same_order(bank: Bank) -> None:
    steps = [bank.write(name, undone=[BUSY, FINE]) for name in "ab"]

    await bank.commit(*steps, bank.write("c", TAKEN))

    assert undos(bank) == ["b", "a", "b", "a"]


async def test_an_undo_goes_under_one_key_however_often_it_is_tried(bank: Bank) -> None:
    await bank.commit(bank.write("a", undone=[BUSY, BUSY, FINE]), bank.write("b", TAKEN))

    assert {*bank.keys["a.undo"]} == {bank.keys["a"][0]}


async def test_what_cannot_be_undone_within_the_budget_is_stuck(bank: Bank) -> None:
    steps = bank.write("a", undone=[BUSY]), bank.write("b"), bank.write("c", undone=[BUSY])

    result = await bank.commit(*steps, bank.write("d", TAKEN))

    assert result == Err(Stuck("What was done could not be undone: a, c"))
    assert bank.log[-3:] == ["c is stuck", "a is stuck", "end stuck"]
    assert 29 <= now() <= 30


async def test_every_write_that_still_stands_is_one_the_journal_takes_for_stuck(bank: Bank) -> None:
    steps = bank.write("a", undone=[BUSY]), bank.write("b"), bank.write("c", TAKEN)

    await bank.commit(*steps)

    stuck = {key for key, outcome in bank.journal.outcomes.items() if outcome is WriteOutcome.STUCK}
    assert bank.ledger.standing == stuck == {*bank.keys["a"]}


async def test_an_undo_that_hangs_leaves_time_for_the_others(bank: Bank) -> None:
    steps = bank.write("a"), bank.write("b"), bank.write("c", undone=[Told(after=FOREVER)])

    result = await bank.commit(*steps, bank.write("d", TAKEN))

    assert result == Err(Stuck("What was done could not be undone: c"))
    assert bank.log[-5:] == ["a.undo sent", "a is undone", "c.undo sent", "c is stuck", "end stuck"]
    assert 29 <= now() <= 31


async def test_when_all_undos_hang_every_one_is_tried(bank: Bank) -> None:
    steps = [bank.write(name, undone=[Told(after=FOREVER)]) for name in "abc"]

    await bank.commit(*steps, bank.write("d", TAKEN))

    assert undos(bank) == ["c", "b", "a"]
    assert now() < 33


async def test_an_undo_has_its_own_budget_however_late_it_begins(bank: Bank) -> None:
    steps = bank.write("a", undone=[Told(BUSY, after=20), FINE]), bank.write("b", LATE)

    assert await bank.commit(*steps) == LATE
    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_an_undo_that_raises_is_logged(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await bank.commit(bank.write("a", undone=[ZeroDivisionError(), FINE]), bank.write("b", TAKEN))

    assert caplog.messages == ["a.undo raised, under key exe-1.settlement.0.a"]


async def test_a_write_that_lands_after_its_undo_is_refused_by_its_mark(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(LATE, lands=60), BUSY))
    await bank.passing(60)

    assert bank.ledger.marks == {*bank.keys["a"]}
    assert bank.ledger.standing == set()


async def test_nothing_is_undone_twice(bank: Bank) -> None:
    await bank.commit(bank.write("a"), bank.write("b", undone=[BUSY, FINE]), bank.write("c", TAKEN))

    assert undos(bank).count("a") == 1
