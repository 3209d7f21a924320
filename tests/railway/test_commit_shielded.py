"""A commit that somebody wants to cut: caller, sibling, deadline."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from gateway.railway import (
    Call,
    CommitPolicy,
    Err,
    Failure,
    Ok,
    Result,
    Run,
    Unavailable,
    change_context,
    current_context,
    railway,
)
from tests.railway.scripted_calls import FINE, TAKEN, Answer, cancellations, now
from tests.railway.scripted_writes import LATE, Bank, Told, committing

BOTH = pytest.mark.parametrize("order", list(CommitPolicy))
COMMITTED = ["a is done", "b sent", "b is done", "end committed"]


@pytest.fixture
def slow(bank: Bank) -> Callable[[], Awaitable[object]]:
    return lambda: bank.commit(bank.write("a", Told(after=2)), bank.write("b", Told(after=2)))


def start(slow: Callable[[], Awaitable[object]]) -> asyncio.Task[object]:
    async def request() -> object:
        return await slow()

    return asyncio.create_task(request())


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_from_outside_a_commit_finishes_and_the_cancellation_passes(
    bank: Bank, slow: Callable[[], Awaitable[object]], times: int
) -> None:
    request = start(slow)
    for time in range(times):
        await asyncio.sleep(1)
        request.cancel(f"the client hung up {time}")

    with pytest.raises(asyncio.CancelledError, match="the client hung up 0"):
        await request
    assert bank.log[-4:] == COMMITTED
    assert request.cancelling() == times


async def test_cancelled_from_outside_a_commit_that_fails_is_undone_all_the_same(bank: Bank) -> None:
    request = start(lambda: bank.commit(bank.write("a", Told(after=2)), bank.write("b", LATE)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_cancelled_during_the_undo_a_commit_undoes_the_rest(bank: Bank) -> None:
    steps = [bank.write(name, undone=[Told(after=2)]) for name in "ab"]
    request = start(lambda: bank.commit(*steps, bank.write("c", TAKEN)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]


async def test_a_cancellation_passes_with_the_bug_of_the_commit_as_its_cause(bank: Bank) -> None:
    bug = Told(ZeroDivisionError(), after=2)
    request = start(lambda: bank.commit(bank.write("a"), bank.write("b", bug)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert bank.ledger.standing == set()


async def test_a_cancellation_without_a_bug_has_no_cause(slow: Callable[[], Awaitable[object]]) -> None:
    request = start(slow)
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert caught.value.__cause__ is None


@BOTH
async def test_a_timeout_round_a_commit_times_out_once_it_is_finished(
    bank: Bank, order: CommitPolicy
) -> None:
    steps = bank.write("a", Told(after=2)), bank.write("b", Told(after=2))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await bank.commit(*steps, policy=order)
    assert bank.log[-1] == "end committed"
    assert cancellations() == 0


async def test_a_sibling_in_a_task_group_that_fails_waits_for_the_commit(
    bank: Bank, slow: Callable[[], Awaitable[object]]
) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ZeroDivisionError

    async def request() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.wait_for(slow(), 60))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await request()
    assert bank.log[-4:] == COMMITTED
    assert now() == 4


async def test_a_pipeline_that_commits_within_a_limit_is_cut_off_once_it_has_finished(bank: Bank) -> None:
    async def nested() -> Result[tuple[int, ...], Failure]:
        return await bank.commit(bank.write("a", Told(after=2)), bank.write("b", Told(after=2)))

    result = await Call("nested", nested).within(1)

    assert isinstance(result, Err)
    assert bank.log[-4:] == COMMITTED
    assert now() == 4


async def test_a_sibling_in_a_stage_that_breaks_waits_for_the_commit(bank: Bank) -> None:
    async def nested() -> Answer:
        await bank.commit(bank.write("a", Told(after=2)), bank.write("b", Told(after=2)))
        return FINE

    @railway
    async def outer(run: Run[Failure]) -> None:
        await run.stage("both", Call("nested", nested), bank.call("bug", ZeroDivisionError(), after=1))

    with pytest.raises(ZeroDivisionError):
        await outer()
    assert bank.log[-4:] == COMMITTED


async def test_the_deadline_clips_no_write(bank: Bank) -> None:
    steps = bank.write("a", Told(after=2)), bank.write("b", LATE, LATE, FINE)

    assert await bank.commit(*steps, deadline=1) == Ok((1, 1))


def deadlines(log: list[float | None]) -> Call[int, Failure]:
    async def look() -> Answer:
        log.append(current_context().deadline)
        return FINE

    return Call("look", look)


@BOTH
async def test_a_step_of_a_commit_has_the_end_of_the_budget_for_its_deadline(
    bank: Bank, order: CommitPolicy
) -> None:
    seen: list[float | None] = []

    await bank.commit(bank.write("a", Told(after=2)), deadlines(seen), deadline=5, policy=order)

    assert seen == [10]


async def test_after_a_commit_the_deadline_clips_no_call(bank: Bank) -> None:
    seen: list[float | None] = []

    async def body(run: Run[Failure]) -> int:
        await run.stage("before", deadlines(seen))
        await run.commit("settlement", bank.write("a", Told(after=2)))
        await run.stage("after", deadlines(seen).optional())
        return run.unwrap(await bank.call("late", after=5))

    around = bank.around(deadline=1)
    assert await railway(body).on(around)() == Ok(1)
    assert seen == [1, None]


@pytest.mark.parametrize("told", [FINE, TAKEN, ZeroDivisionError()], ids=repr)
async def test_after_the_run_the_surroundings_are_as_before(bank: Bank, told: Answer | Exception) -> None:
    around = replace(bank.around(), deadline=9)

    with change_context(around):
        with contextlib.suppress(ZeroDivisionError):
            await committing(bank.write("a", told))

        assert current_context() is around


@BOTH
async def test_with_less_than_the_reserve_left_nothing_is_written(bank: Bank, order: CommitPolicy) -> None:
    result = await bank.commit(bank.write("a"), bank.write("b"), deadline=0.499, policy=order)

    assert result == Err(Unavailable("There is too little time left to begin the commit", was_sent=False))
    assert bank.log == []


async def test_the_reserve_itself_is_enough(bank: Bank) -> None:
    assert await bank.commit(bank.write("a"), deadline=0.5) == Ok((1,))


async def test_what_the_stages_before_took_counts_against_the_reserve(bank: Bank) -> None:
    @railway
    async def late(run: Run[Failure]) -> None:
        await run.stage("slow", bank.call("slow", after=1))
        await run.commit("settlement", bank.write("a"))

    result = await late.on(bank.around(deadline=1.25))()

    assert isinstance(result, Err)
    assert bank.log == ["slow started", "slow ended"]


@BOTH
async def test_a_commit_leaves_no_task_behind(bank: Bank, order: CommitPolicy) -> None:
    before = asyncio.all_tasks()
    steps = bank.write("a", Told(after=2)), bank.write("b", LATE, TAKEN), bank.call("c", TAKEN, after=1)

    await bank.commit(*steps, policy=order)

    assert asyncio.all_tasks() == before


async def test_two_commits_are_cancelled_apart(slow: Callable[[], Awaitable[object]]) -> None:
    other = Bank()
    gone, staying = start(slow), start(lambda: other.commit(other.write("a", Told(after=5))))
    await asyncio.sleep(1)
    gone.cancel()

    assert await staying == Ok((1,))
    assert gone.cancelled()
