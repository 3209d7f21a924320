"""Writes with an unknown outcome, and their retries."""

from collections.abc import Callable

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
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Bank, Reply

UNUSABLE: Err[Failure] = Err(BadAnswer("unusable"))
FROM_PROXY: Err[Failure] = Err(BadAnswer("unusable", is_transient=True))


def ask_to_wait(seconds: float) -> Answer:
    return Err(Unavailable("busy", retry_after=seconds))


def ask_to_wait_for_proxy(seconds: float) -> Answer:
    return Err(BadAnswer("unusable", is_transient=True, retry_after=seconds))


@pytest.mark.parametrize("unknown", [LATE, BUSY, FROM_PROXY])
async def test_unanswered_write_is_retried_with_same_key(bank: Bank, unknown: Answer) -> None:
    assert await bank.commit(bank.write("a", unknown, unknown, FINE)) == Ok((1,))

    assert bank.log[1:] == ["a sent", "a is unknown", "a sent", "a sent", "a is done", "end committed"]
    assert len({*bank.keys["a"]}) == 1


async def test_late_write_and_its_retry_execute_once(bank: Bank) -> None:
    await bank.commit(bank.write("a", Reply(LATE, after=1, lands=3), FINE))

    assert [*bank.ledger.counts.values()] == [1]


async def test_write_retries_back_off_up_to_one_second(bank: Bank) -> None:
    await bank.commit(bank.write("a", *[LATE] * 8, FINE))

    assert 0.05 + 0.1 + 0.2 + 0.4 + 4 * 0.5 <= now() <= 0.1 + 0.2 + 0.4 + 0.8 + 4


async def test_unanswered_write_is_undone_after_budget(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE)) == LATE

    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert 9 <= now() <= 10


async def test_retried_write_reports_first_failure(bank: Bank) -> None:
    """If no retry is answered, the commit returns the failure of the first attempt."""
    assert await bank.commit(bank.write("a", LATE, BUSY, UNREACHED)) == LATE


async def test_commit_budget_is_shared_by_writes(bank: Bank) -> None:
    await bank.commit(bank.write("a", Reply(after=9)), bank.write("b", LATE))

    assert 9 <= now() <= 10


@pytest.mark.parametrize("never_sent", [UNREACHED, Err(TimedOut("no time", was_sent=False))])
async def test_unsent_write_is_recorded_as_refused(bank: Bank, never_sent: Answer) -> None:
    assert await bank.commit(bank.write("a", never_sent)) == never_sent

    assert bank.log[1:] == ["a sent", "a is refused", "end undone"]


async def test_unsent_retry_leaves_write_outcome_unknown(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, UNREACHED)) == LATE

    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_refused_retry_ends_retries(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, TAKEN)) == TAKEN

    assert bank.log[2:5] == ["a is unknown", "a sent", "a.undo sent"]


async def test_write_with_refused_retry_is_undone(bank: Bank) -> None:
    """The first attempt may still arrive."""
    await bank.commit(bank.write("a", Reply(LATE, after=1, lands=5), TAKEN))
    await bank.wait(9)

    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_write_with_unusable_answer_is_undone(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", UNUSABLE)) == UNUSABLE

    assert bank.log[1:] == ["a sent", "a is unknown", "a.undo sent", "a is undone", "end undone"]
    assert now() == 0


async def test_unusable_answer_ends_write_retries(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", LATE, UNUSABLE)) == LATE

    assert bank.log.count("a sent") == 2
    assert bank.log[-2:] == ["a is undone", "end undone"]


@pytest.mark.parametrize(
    "error",
    [Unexpected("a"), Stuck("a"), Aggregate((NotFound(), Gone()))],
    ids=lambda error: type(error).__name__,
)
async def test_undeclared_failure_undoes_write(bank: Bank, error: Failure) -> None:
    assert await bank.commit(bank.write("a", Err(error))) == Err(error)

    assert bank.log[-2:] == ["a is undone", "end undone"]


async def test_lasting_proxy_failure_undoes_write(bank: Bank) -> None:
    assert await bank.commit(bank.write("a", FROM_PROXY)) == FROM_PROXY

    assert bank.log.count("a sent") > 2
    assert bank.log[-2:] == ["a is undone", "end undone"]


@pytest.mark.parametrize("ask", [ask_to_wait, ask_to_wait_for_proxy])
async def test_write_retry_respects_retry_after(bank: Bank, ask: Callable[[float], Answer]) -> None:
    assert await bank.commit(bank.write("a", ask(7), FINE)) == Ok((1,))

    assert now() == 7


@pytest.mark.parametrize("seconds", [0, 0.0])
async def test_zero_retry_after_keeps_backoff(bank: Bank, seconds: float) -> None:
    await bank.commit(bank.write("a", ask_to_wait(seconds), FINE))

    assert now() >= 0.05


@pytest.mark.parametrize("seconds", [10, 10.0, 3600])
async def test_retry_after_beyond_budget_undoes_write_at_once(bank: Bank, seconds: float) -> None:
    result: Result[object, Failure] = await bank.commit(bank.write("a", ask_to_wait(seconds)))

    assert result == ask_to_wait(seconds)
    assert bank.log[-2:] == ["a is undone", "end undone"]
    assert now() == 0


async def test_concurrent_writes_are_retried_separately(bank: Bank) -> None:
    steps = bank.write("a", LATE, Reply(after=2)), bank.write("b", BUSY, BUSY, FINE)

    assert await bank.commit(*steps, policy=CONCURRENT) == Ok((1, 1))
    assert now() < 3


async def test_write_overrunning_deadline_is_undone(bank: Bank) -> None:
    with pytest.raises(TimeoutError):
        await bank.commit(bank.write("a", Reply(after=FOREVER, lands=20)))
    await bank.wait(20)

    assert bank.log[1:] == ["a sent", "a is unknown", "a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_write_ending_at_deadline_is_not_cut_off(bank: Bank) -> None:
    late: Answer = Err(TimedOut("at the deadline"))

    assert await bank.commit(bank.write("a", Reply(late, after=10))) == late
