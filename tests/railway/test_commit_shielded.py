"""Commits that finish although their caller, a sibling call or a deadline cancels them."""

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
from tests.railway.scripted_calls import FINE, TAKEN, Answer, count_cancellations, now
from tests.railway.scripted_writes import LATE, Bank, Reply, payment

BOTH_POLICIES = pytest.mark.parametrize("policy", list(CommitPolicy))
COMMITTED = ["a is done", "b sent", "b is done", "end committed"]


@pytest.fixture
def commit_slowly(bank: Bank) -> Callable[[], Awaitable[object]]:
    return lambda: bank.commit(bank.write("a", Reply(after=2)), bank.write("b", Reply(after=2)))


def start(function: Callable[[], Awaitable[object]]) -> asyncio.Task[object]:
    async def request() -> object:
        return await function()

    return asyncio.create_task(request())


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_commit_finishes_then_raises(
    bank: Bank, commit_slowly: Callable[[], Awaitable[object]], times: int
) -> None:
    request = start(commit_slowly)
    for time in range(times):
        await asyncio.sleep(1)
        request.cancel(f"the client hung up {time}")

    with pytest.raises(asyncio.CancelledError, match="the client hung up 0"):
        await request
    assert bank.log[-4:] == COMMITTED
    assert request.cancelling() == times


async def test_cancelled_commit_that_fails_is_undone(bank: Bank) -> None:
    request = start(lambda: bank.commit(bank.write("a", Reply(after=2)), bank.write("b", LATE)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]
    assert bank.ledger.standing == set()


async def test_cancellation_does_not_interrupt_undos(bank: Bank) -> None:
    steps = [bank.write(name, undos=[Reply(after=2)]) for name in "ab"]
    request = start(lambda: bank.commit(*steps, bank.write("c", TAKEN)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log[-3:] == ["a.undo sent", "a is undone", "end undone"]


async def test_cancellation_has_bug_of_commit_as_cause(bank: Bank) -> None:
    bug = Reply(ZeroDivisionError(), after=2)
    request = start(lambda: bank.commit(bank.write("a"), bank.write("b", bug)))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert bank.ledger.standing == set()


async def test_cancelled_commit_without_bug_has_no_cause(
    commit_slowly: Callable[[], Awaitable[object]],
) -> None:
    request = start(commit_slowly)
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert caught.value.__cause__ is None


@BOTH_POLICIES
async def test_timeout_expires_after_commit_has_ended(bank: Bank, policy: CommitPolicy) -> None:
    steps = bank.write("a", Reply(after=2)), bank.write("b", Reply(after=2))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await bank.commit(*steps, policy=policy)
    assert bank.log[-1] == "end committed"
    assert count_cancellations() == 0


async def test_failed_task_group_waits_for_commit(
    bank: Bank, commit_slowly: Callable[[], Awaitable[object]]
) -> None:
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ZeroDivisionError

    async def request() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.wait_for(commit_slowly(), 60))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await request()
    assert bank.log[-4:] == COMMITTED
    assert now() == 4


async def test_within_waits_for_running_commit(bank: Bank) -> None:
    async def nested() -> Result[tuple[int, ...], Failure]:
        return await bank.commit(bank.write("a", Reply(after=2)), bank.write("b", Reply(after=2)))

    result = await Call("nested", nested).within(1)

    assert isinstance(result, Err)
    assert bank.log[-4:] == COMMITTED
    assert now() == 4


async def test_bug_in_stage_waits_for_running_commit(bank: Bank) -> None:
    async def nested() -> Answer:
        await bank.commit(bank.write("a", Reply(after=2)), bank.write("b", Reply(after=2)))
        return FINE

    @railway
    async def outer(run: Run[Failure]) -> None:
        await run.stage("both", Call("nested", nested), bank.call("bug", ZeroDivisionError(), after=1))

    with pytest.raises(ZeroDivisionError):
        await outer()
    assert bank.log[-4:] == COMMITTED


async def test_run_deadline_does_not_apply_to_writes(bank: Bank) -> None:
    steps = bank.write("a", Reply(after=2)), bank.write("b", LATE, LATE, FINE)

    assert await bank.commit(*steps, deadline=1) == Ok((1, 1))


def read_deadline(log: list[float | None]) -> Call[int, Failure]:
    async def read() -> Answer:
        log.append(current_context().deadline)
        return FINE

    return Call("read deadline", read)


@BOTH_POLICIES
async def test_commit_budget_replaces_run_deadline(bank: Bank, policy: CommitPolicy) -> None:
    seen: list[float | None] = []

    await bank.commit(bank.write("a", Reply(after=2)), read_deadline(seen), deadline=5, policy=policy)

    assert seen == [10]


async def test_calls_after_commit_have_no_deadline(bank: Bank) -> None:
    seen: list[float | None] = []

    async def body(run: Run[Failure]) -> int:
        await run.stage("before", read_deadline(seen))
        await run.commit("settlement", bank.write("a", Reply(after=2)))
        await run.stage("after", read_deadline(seen).optional())
        return run.unwrap(await bank.call("late", after=5))

    context = bank.build_context(deadline=1)
    assert await railway(body).on(context)() == Ok(1)
    assert seen == [1, None]


@pytest.mark.parametrize("answer", [FINE, TAKEN, ZeroDivisionError()], ids=repr)
async def test_context_is_restored_after_commit(bank: Bank, answer: Answer | Exception) -> None:
    context = replace(bank.build_context(), deadline=9)

    with change_context(context):
        with contextlib.suppress(ZeroDivisionError):
            await payment(bank.write("a", answer))

        assert current_context() is context


@BOTH_POLICIES
async def test_commit_with_less_time_than_reserve_sends_nothing(bank: Bank, policy: CommitPolicy) -> None:
    result = await bank.commit(bank.write("a"), bank.write("b"), deadline=0.499, policy=policy)

    assert result == Err(Unavailable("There is too little time left to begin the commit", was_sent=False))
    assert bank.log == []


async def test_commit_begins_if_exactly_reserve_is_left(bank: Bank) -> None:
    assert await bank.commit(bank.write("a"), deadline=0.5) == Ok((1,))


async def test_earlier_stages_use_up_commit_reserve(bank: Bank) -> None:
    @railway
    async def late(run: Run[Failure]) -> None:
        await run.stage("slow", bank.call("slow", after=1))
        await run.commit("settlement", bank.write("a"))

    result = await late.on(bank.build_context(deadline=1.25))()

    assert isinstance(result, Err)
    assert bank.log == ["slow started", "slow ended"]


@BOTH_POLICIES
async def test_commit_leaves_no_task_behind(bank: Bank, policy: CommitPolicy) -> None:
    before = asyncio.all_tasks()
    steps = bank.write("a", Reply(after=2)), bank.write("b", LATE, TAKEN), bank.call("c", TAKEN, after=1)

    await bank.commit(*steps, policy=policy)

    assert asyncio.all_tasks() == before


async def test_cancelled_commit_does_not_affect_other_commits(
    commit_slowly: Callable[[], Awaitable[object]],
) -> None:
    other_bank = Bank()
    cancelled, other_run = (
        start(commit_slowly),
        start(lambda: other_bank.commit(other_bank.write("a", Reply(after=5)))),
    )
    await asyncio.sleep(1)
    cancelled.cancel()

    assert await other_run == Ok((1,))
    assert cancelled.cancelled()
