"""Writes of which nobody knows what came."""

import pytest

from gateway.railway import (
    CONCURRENT,
    Aggregate,
    BadAnswer,
    Err,
    Failure,
    Gone,
    NotFound,
    Ok,
    Result,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
)
from tests.railway.scripted_calls import FINE, FOREVER, TAKEN, Answer, now
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Bank, Told

UNUSABLE: Err[Failure] = Err(BadAnswer("unusable"))


def asking_to_wait(seconds: float) -> Answer:
    return Err(Unavailable("busy", retry_after=seconds))


@pytest.mark.parametrize("unknown", [LATE, BUSY])
async def test_a_write_without_an_answer_is_repeated_under_the_same_key(bank: Bank, unknown: Answer) -> None:
    assert await bank.commit(bank.write("a", unknown, unknown, FINE)) == Ok((1,))

    assert bank.log[1:] == ["a sent", "a is unknown", "a sent", "a sent", "a is done", "end committed"]
    assert len({*bank.keys["a"]}) == 1


async def test_a_write_that_landed_without_an_answer_is_made_once(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(LATE, after=1, lands=3), FINE))

    assert [*bank.ledger.times.values()] == [1]


async def test_repeats_are_spaced_ever_wider_up_to_a_second(bank: Bank) -> None:
    await bank.commit(bank.write("a", *[LATE] * 8, FINE))

    assert 0.05 + 0.1 + 0.2 + 0.4 + 4 * 0.5 <= now() <= 0.1 + 0.2 + 0.4 + 0.8 + 4


async def test_a_write_of_which_nobody_ever_knows_is_undone_when_the_budget_is_spent(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE)) == LATE

    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert 9 <= now() <= 10


async def test_the_failure_of_a_write_of_which_nobody_ever_knows_is_the_first(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, BUSY, UNREACHED)) == LATE


async def test_the_budget_is_that_of_all_writes_together(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(after=9)), bank.write("b", LATE))

    assert 9 <= now() <= 10


@pytest.mark.parametrize("never_sent", [UNREACHED, Err(TimedOut("no time", was_sent=False))])
async def test_a_write_that_was_never_sent_is_refused_and_not_undone(bank: Bank, never_sent: Answer) -> None:
    assert await bank.commit(bank.write("a", never_sent)) == never_sent

    assert bank.log[1:] == ["a sent", "a is refused", "end undone"]


async def test_a_repeat_that_was_never_sent_says_nothing_of_the_first_attempt(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, UNREACHED)) == LATE

    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_a_repeat_that_is_refused_ends_the_repeats(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, TAKEN)) == TAKEN

    assert bank.log[2:5] == ["a is unknown", "a sent", "a.undo sent"]


async def test_a_write_whose_repeat_was_refused_is_undone_as_the_first_may_still_land(bank: Bank) -> None:
    await bank.commit(bank.write("a", Told(LATE, after=1, lands=5), TAKEN))
    await bank.passing(9)

    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_a_write_with_an_unusable_answer_is_undone_at_once(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", UNUSABLE)) == UNUSABLE

    assert bank.log[1:] == ["a sent", "a is unknown", "a.undo sent", "a is undone", "end undone"]
    assert now() == 0


async def test_a_repeat_with_an_unusable_answer_ends_the_repeats(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, UNUSABLE)) == LATE

    assert bank.log.count("a sent") == 2
    assert bank.log[-2:] == ["a is undone", "end undone"]


@pytest.mark.parametrize(
    "error",
    [Unexpected("a"), Stuck("a"), Aggregate((NotFound(), Gone()))],
    ids=lambda error: type(error).__name__,
)
async def test_a_failure_that_no_service_declares_is_undone(bank: Bank, error: Failure) -> None:
    assert await bank.commit(bank.write("a", Err(error))) == Err(error)

    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_a_service_that_asks_to_wait_is_waited_for(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", asking_to_wait(7), FINE)) == Ok((1,))

    assert now() == 7


@pytest.mark.parametrize("seconds", [0, 0.0])
async def test_a_service_that_asks_to_come_back_at_once_is_waited_for_all_the_same(
    bank: Bank, seconds: float
) -> None:
    await bank.commit(bank.write("a", asking_to_wait(seconds), FINE))

    assert now() >= 0.05


@pytest.mark.parametrize("seconds", [10, 10.0, 3600])
async def test_a_service_that_asks_to_wait_beyond_the_budget_is_given_up_at_once(
    bank: Bank, seconds: float
) -> None:
    result: Result[object, Failure] = await bank.commit(bank.write("a", asking_to_wait(seconds)))

    assert result == asking_to_wait(seconds)
    assert bank.log[-2:] == ["a is undone", "end undone"]
    assert now() == 0


async def test_in_parallel_each_write_is_repeated_apart(bank: Bank) -> None:
    steps = bank.write("a", LATE, Told(after=2)), bank.write("b", BUSY, BUSY, FINE)

    assert await bank.commit(*steps, policy=CONCURRENT) == Ok((1, 1))
    assert now() < 3


async def test_a_write_that_ignores_its_deadline_is_cut_off_and_undone(bank: Bank) -> None:
    with pytest.raises(TimeoutError):
        await bank.commit(bank.write("a", Told(after=FOREVER, lands=20)))
    await bank.passing(20)

    assert bank.log[1:] == ["a sent", "a is unknown", "a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_a_write_that_keeps_to_its_deadline_is_not_cut_off(bank: Bank) -> None:
    late: Answer = Err(TimedOut("at the deadline"))

    assert await bank.commit(bank.write("a", Told(late, after=10))) == late
