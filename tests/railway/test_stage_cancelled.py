"""A stage whose caller goes away."""

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
from tests.railway.scripted_calls import MISSING, Answer, World, now, trio

BOTH = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])


def start(*calls: Call[int, Failure], policy: Policy = SETTLE) -> asyncio.Task[object]:
    async def request() -> object:
        return await trio(*calls, policy=policy)

    return asyncio.create_task(request())


@BOTH
async def test_cancelled_from_outside_a_stage_cancels_every_call(world: World, policy: Policy) -> None:
    request = start(world.hung("a"), world.hung("b"), world.hung("c"), policy=policy)
    await asyncio.sleep(1)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert world.log[-3:] == ["a cleaned up", "b cleaned up", "c cleaned up"]
    assert now() == 1


@BOTH
async def test_cancelled_from_outside_a_stage_waits_for_the_clean_up_of_its_calls(
    world: World, policy: Policy
) -> None:
    request = start(world.hung("a", cleanup=3), world.hung("b"), world.hung("c", cleanup=2), policy=policy)
    await asyncio.sleep(1)

    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert world.log[-3:] == ["b cleaned up", "c cleaned up", "a cleaned up"]
    assert now() == 4


@BOTH
async def test_a_second_cancellation_does_not_interrupt_the_clean_up(world: World, policy: Policy) -> None:
    request = start(world.hung("a", cleanup=3), world.hung("b"), world.hung("c", cleanup=2), policy=policy)
    for _ in range(3):
        await asyncio.sleep(1)
        request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert world.log[-3:] == ["b cleaned up", "c cleaned up", "a cleaned up"]
    assert now() == 4


async def test_cancelled_twice_at_once_a_stage_cancels_its_calls_once(world: World) -> None:
    request = start(world.hung("a", cleanup=3), world.call("b"), world.call("c"))
    await asyncio.sleep(1)
    request.cancel()
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert request.cancelling() == 2
    assert now() == 4


async def test_cancelled_while_it_fails_fast_a_stage_waits_for_the_clean_up(world: World) -> None:
    request = start(
        world.call("a", MISSING), world.hung("b", cleanup=3), world.hung("c", cleanup=2), policy=FAIL_FAST
    )
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert now() == 3


async def test_cancelled_while_it_cleans_up_after_a_bug_a_stage_waits_and_is_cancelled(world: World) -> None:
    request = start(world.call("bug", ZeroDivisionError()), world.hung("b", cleanup=3), world.call("c"))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert now() == 3


async def test_a_cancellation_from_outside_beats_a_bug_with_the_bug_as_its_cause(world: World) -> None:
    async def sore() -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    request = start(world.hung("a"), Call("sore", sore), world.hung("c"))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError) as caught:
        await request
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_a_cancellation_without_a_bug_has_no_cause_and_keeps_its_message(world: World) -> None:
    request = start(world.hung("a"), world.hung("b"), world.hung("c"))
    await asyncio.sleep(1)
    request.cancel("the client hung up")

    with pytest.raises(asyncio.CancelledError, match="the client hung up") as caught:
        await request
    assert caught.value.__cause__ is None


async def test_a_cancellation_that_comes_with_the_last_answer_is_not_lost(world: World) -> None:
    async def last() -> Answer:
        request.cancel()
        return Ok(1)

    request = start(world.call("a"), world.call("b"), Call("last", last))

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_a_call_that_will_not_be_cancelled_does_not_save_the_stage(world: World) -> None:
    async def deaf() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Ok(7)

    request = start(Call("deaf", deaf), world.call("b"), world.call("c"))
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_cancelled_before_its_first_step_a_stage_makes_no_call(world: World) -> None:
    request = start(world.call("a"), world.call("b"), world.call("c"))
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert world.log == []


@BOTH
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_a_timeout_round_a_stage_still_times_out(
    world: World, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [world.hung("a"), world.hung("b", cleanup=2), world.call("c")]

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await trio(*(calls[n] for n in order), policy=policy)
    assert now() == 3


@railway
async def three(
    run: Run[Failure], a: Call[int, Failure], b: Call[int, Failure], c: Call[int, Failure]
) -> int:
    return sum(await run.stage("three", a, b, c))


async def test_closing_the_coroutine_of_a_pipeline_by_hand_cancels_its_calls(world: World) -> None:
    pipeline = three(world.hung("a"), world.hung("b"), world.call("c"))
    pipeline.send(None)
    await asyncio.sleep(1)

    pipeline.close()

    await asyncio.sleep(1)
    assert world.log[-2:] == ["a cleaned up", "b cleaned up"]


async def test_a_bug_in_a_call_that_was_closed_by_hand_is_nobodys(world: World) -> None:
    pipeline = three(world.call("bug", ZeroDivisionError()), world.hung("b"), world.call("c"))
    pipeline.send(None)

    pipeline.close()

    await asyncio.sleep(1)
    gc.collect()
    assert world.log == []


async def test_closing_by_hand_gives_back_the_surroundings(world: World) -> None:
    pipeline = three.on(RunContext(deadline=9))(world.hung("a").within(60), world.hung("b"), world.call("c"))
    pipeline.send(None)
    pipeline.close()
    await asyncio.sleep(0)

    assert current_context().deadline is None


async def test_two_requests_are_cancelled_apart(world: World) -> None:
    gone = start(world.hung("a"), world.hung("b"), world.hung("c"))
    staying = start(world.call("d", after=5), world.call("e"), world.call("f"))
    await asyncio.sleep(1)
    gone.cancel()

    result: Result[object, object] = Ok((1, 1, 1))
    assert await staying == result
    assert gone.cancelled()
