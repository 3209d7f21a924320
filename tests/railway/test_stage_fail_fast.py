"""A stage that fails fast, and fails the same way whatever comes first."""

import asyncio
import contextlib
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import FAIL_FAST, Call, Conflict, Err, Failure, Ok, Result
from tests.railway.scripted_calls import FINE, MISSING, ORDERS, TAKEN, Answer, World, cancellations, now, trio


async def fast(*calls: Call[int, Failure]) -> Result[tuple[int, int, int], Failure]:
    return await trio(*calls, policy=FAIL_FAST)


async def test_a_slow_call_named_after_the_failed_one_is_cancelled(world: World) -> None:
    result = await fast(world.call("a", MISSING, after=1), world.call("b"), world.hung("slow"))

    assert result == MISSING
    assert world.log[-1] == "slow cleaned up"


async def test_the_stage_returns_before_the_slow_call_would_have_finished(world: World) -> None:
    await fast(world.call("a", MISSING, after=1), world.hung("b"), world.hung("c"))

    assert now() == 1


async def test_a_call_named_before_the_failed_one_is_awaited(world: World) -> None:
    result = await fast(world.call("slow", after=5), world.call("b", MISSING, after=1), world.hung("c"))

    assert result == MISSING
    assert world.log[-1] == "slow ended"
    assert now() == 5


async def test_a_call_named_before_the_failed_one_still_fails_the_stage_if_it_fails(world: World) -> None:
    result = await fast(
        world.call("slow", TAKEN, after=5), world.call("b", MISSING, after=1), world.hung("c")
    )

    assert result == TAKEN


@pytest.mark.parametrize("delays", ORDERS)
async def test_the_first_failure_in_argument_order_is_the_only_one_in_every_order_of_arrival(
    world: World, delays: tuple[float, float, float]
) -> None:
    a, b, c = delays

    result = await fast(
        world.call("a", after=a), world.call("b", TAKEN, after=b), world.call("c", MISSING, after=c)
    )

    assert result == TAKEN


@pytest.mark.parametrize("answers", [*permutations([FINE, MISSING, TAKEN])])
@pytest.mark.parametrize("delays", [*ORDERS, (1.0, 1.0, 1.0)])
async def test_the_same_answers_fail_alike_whatever_comes_first(
    world: World, answers: tuple[Answer, ...], delays: tuple[float, float, float]
) -> None:
    calls = [
        world.call(f"{n}", answer, after=delay)
        for n, (answer, delay) in enumerate(zip(answers, delays, strict=True))
    ]

    assert await fast(*calls) == next(answer for answer in answers if isinstance(answer, Err))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), min_size=3, max_size=3))
async def test_no_delays_change_which_failure_it_is(answers: list[tuple[bool, float]]) -> None:
    world, failures = World(), [Err(Conflict(f"{n}")) for n in range(3)]
    calls = [
        world.call(f"{n}", failures[n] if fails else Ok(n), after=delay)
        for n, (fails, delay) in enumerate(answers)
    ]

    result = await fast(*calls)

    first = next((failures[n] for n, (fails, _) in enumerate(answers) if fails), None)
    assert result == (first or Ok((0, 1, 2)))


async def test_cancelled_calls_have_finished_cleaning_up_before_the_stage_returns(world: World) -> None:
    await fast(world.call("a", MISSING, after=1), world.hung("b", cleanup=3), world.hung("c", cleanup=2))

    assert world.log[-2:] == ["c cleaned up", "b cleaned up"]
    assert now() == 4


async def test_an_earlier_failure_later_on_cancels_what_is_left_and_no_call_twice(world: World) -> None:
    result = await fast(
        world.call("a", TAKEN, after=2), world.call("b", MISSING, after=1), world.hung("c", cleanup=5)
    )

    assert result == TAKEN
    assert now() == 6


async def test_a_failure_that_comes_of_being_cancelled_is_not_told(world: World) -> None:
    async def sore() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return TAKEN

    result = await fast(world.call("a", MISSING), world.call("b"), Call("sore", sore))

    assert result == MISSING


async def test_a_call_that_will_not_be_cancelled_is_awaited(world: World) -> None:
    async def deaf() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(4)
        return Ok(1)

    result = await fast(world.call("a", MISSING), world.call("b"), Call("deaf", deaf))

    assert result == MISSING
    assert now() == 4


async def test_an_exception_in_the_clean_up_of_a_cancelled_call_is_a_bug(world: World) -> None:
    async def clumsy() -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fast(world.call("a", MISSING), world.call("b"), Call("clumsy", clumsy))


async def test_all_calls_answer_when_none_fails(world: World) -> None:
    assert await fast(world.call("a"), world.call("b", after=2), world.call("c")) == Ok((1, 1, 1))


async def test_after_a_stage_that_failed_fast_its_task_can_be_timed_out(world: World) -> None:
    await fast(world.call("a", MISSING), world.hung("b"), world.hung("c"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.Event().wait()
    assert cancellations() == 0
