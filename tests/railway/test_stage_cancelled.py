"""Cancellation of a stage's caller."""

import asyncio
import contextlib
import gc
from itertools import permutations

import pytest

from gateway.railway import (
    FAIL_FAST,
    SETTLE,
    Call,
    Failure,
    Ok,
    Policy,
    Result,
    Run,
    RunContext,
    current_context,
    railway,
)
from tests.railway.scripted_calls import MISSING, Answer, Services, now, three_calls

BOTH_POLICIES = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])


def start(*calls: Call[int, Failure], policy: Policy = SETTLE) -> asyncio.Task[object]:
    async def request() -> object:
        return await three_calls(*calls, policy=policy)

    return asyncio.create_task(request())


@BOTH_POLICIES
async def test_cancelled_stage_cancels_calls(services: Services, policy: Policy) -> None:
    request = start(services.hang("a"), services.hang("b"), services.hang("c"), policy=policy)
    await asyncio.sleep(1)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert services.log[-3:] == ["a cleaned up", "b cleaned up", "c cleaned up"]
    assert now() == 1


@BOTH_POLICIES
async def test_cancelled_stage_waits_for_cleanup(services: Services, policy: Policy) -> None:
    request = start(
        services.hang("a", cleanup=3), services.hang("b"), services.hang("c", cleanup=2), policy=policy
    )
    await asyncio.sleep(1)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert services.log[-3:] == ["b cleaned up", "c cleaned up", "a cleaned up"]
    assert now() == 4


@BOTH_POLICIES
async def test_second_cancellation_keeps_cleanup_running(services: Services, policy: Policy) -> None:
    request = start(
        services.hang("a", cleanup=3), services.hang("b"), services.hang("c", cleanup=2), policy=policy
    )
    for _ in range(3):
        await asyncio.sleep(1)
        request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert services.log[-3:] == ["b cleaned up", "c cleaned up", "a cleaned up"]
    assert now() == 4


async def test_stage_cancelled_twice_cancels_calls_once(services: Services) -> None:
    request = start(services.hang("a", cleanup=3), services.call("b"), services.call("c"))
    await asyncio.sleep(1)
    request.cancel()
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert request.cancelling() == 2
    assert now() == 4


async def test_stage_cancelled_while_failing_waits_for_cleanup(services: Services) -> None:
    request = start(
        services.call("a", MISSING),
        services.hang("b", cleanup=3),
        services.hang("c", cleanup=2),
        policy=FAIL_FAST,
    )
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert now() == 3


async def test_stage_cancelled_after_bug_waits_for_cleanup(services: Services) -> None:
    request = start(
        services.call("bug", ZeroDivisionError()), services.hang("b", cleanup=3), services.call("c")
    )
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert now() == 3


async def test_cancelled_stage_has_bug_as_cause(services: Services) -> None:
    async def fail_in_cleanup() -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    request = start(services.hang("a"), Call("broken", fail_in_cleanup), services.hang("c"))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_cancelled_stage_keeps_message_and_has_no_cause(services: Services) -> None:
    request = start(services.hang("a"), services.hang("b"), services.hang("c"))
    await asyncio.sleep(1)
    request.cancel("the client hung up")

    with pytest.raises(asyncio.CancelledError, match="the client hung up") as caught:
        await request
    assert caught.value.__cause__ is None


async def test_cancellation_during_last_answer_is_raised(services: Services) -> None:
    async def cancel_request() -> Answer:
        request.cancel()
        return Ok(1)

    request = start(services.call("a"), services.call("b"), Call("last", cancel_request))

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_stage_is_cancelled_if_call_ignores_cancellation(services: Services) -> None:
    async def ignore_cancellation() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Ok(7)

    request = start(Call("stubborn", ignore_cancellation), services.call("b"), services.call("c"))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_stage_cancelled_at_start_makes_no_call(services: Services) -> None:
    request = start(services.call("a"), services.call("b"), services.call("c"))
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert services.log == []


@BOTH_POLICIES
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_timeout_around_stage_expires_after_cleanup(
    services: Services, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [services.hang("a"), services.hang("b", cleanup=2), services.call("c")]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await three_calls(*(calls[n] for n in order), policy=policy)
    assert now() == 3


@railway
async def sum_of_three(
    run: Run[Failure], a: Call[int, Failure], b: Call[int, Failure], c: Call[int, Failure]
) -> int:
    return sum(await run.stage("three", a, b, c))


async def test_closing_pipeline_cancels_its_calls(services: Services) -> None:
    pipeline = sum_of_three(services.hang("a"), services.hang("b"), services.call("c"))
    pipeline.send(None)
    await asyncio.sleep(1)

    pipeline.close()

    await asyncio.sleep(1)
    assert services.log[-2:] == ["a cleaned up", "b cleaned up"]


async def test_closing_pipeline_at_once_makes_no_call(services: Services) -> None:
    pipeline = sum_of_three(services.call("bug", ZeroDivisionError()), services.hang("b"), services.call("c"))
    pipeline.send(None)

    pipeline.close()

    await asyncio.sleep(1)
    gc.collect()
    assert services.log == []


async def test_closing_pipeline_restores_context(services: Services) -> None:
    pipeline = sum_of_three.on(RunContext(deadline=9))(
        services.hang("a").within(60), services.hang("b"), services.call("c")
    )
    pipeline.send(None)
    pipeline.close()
    await asyncio.sleep(0)

    assert current_context().deadline is None


async def test_cancelled_run_does_not_affect_other_runs(services: Services) -> None:
    cancelled = start(services.hang("a"), services.hang("b"), services.hang("c"))
    other_run = start(services.call("d", after=5), services.call("e"), services.call("f"))
    await asyncio.sleep(1)
    cancelled.cancel()

    result: Result[object, object] = Ok((1, 1, 1))
    assert await other_run == result
    assert cancelled.cancelled()
