"""Stages that fail fast: their result does not depend on the order of arrival."""

import asyncio
import contextlib
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import FAIL_FAST, Call, Conflict, Err, Failure, Ok, Result
from tests.railway.scripted_calls import (
    DELAYS,
    FINE,
    MISSING,
    TAKEN,
    Answer,
    Services,
    count_cancellations,
    now,
    three_calls,
)


async def run_fail_fast(*calls: Call[int, Failure]) -> Result[tuple[int, int, int], Failure]:
    return await three_calls(*calls, policy=FAIL_FAST)


async def test_fail_fast_cancels_later_calls(services: Services) -> None:
    result = await run_fail_fast(
        services.call("a", MISSING, after=1), services.call("b"), services.hang("slow")
    )

    assert result == MISSING
    assert services.log[-1] == "slow cleaned up"


async def test_fail_fast_does_not_wait_for_later_calls(services: Services) -> None:
    await run_fail_fast(services.call("a", MISSING, after=1), services.hang("b"), services.hang("c"))

    assert now() == 1


async def test_fail_fast_awaits_earlier_calls(services: Services) -> None:
    result = await run_fail_fast(
        services.call("slow", after=5), services.call("b", MISSING, after=1), services.hang("c")
    )

    assert result == MISSING
    assert services.log[-1] == "slow ended"
    assert now() == 5


async def test_fail_fast_prefers_earlier_argument_to_earlier_end(services: Services) -> None:
    result = await run_fail_fast(
        services.call("slow", TAKEN, after=5), services.call("b", MISSING, after=1), services.hang("c")
    )

    assert result == TAKEN


@pytest.mark.parametrize("delays", DELAYS)
async def test_fail_fast_returns_first_failed_argument(
    services: Services, delays: tuple[float, float, float]
) -> None:
    a, b, c = delays

    result = await run_fail_fast(
        services.call("a", after=a), services.call("b", TAKEN, after=b), services.call("c", MISSING, after=c)
    )

    assert result == TAKEN


@pytest.mark.parametrize("answers", [*permutations([FINE, MISSING, TAKEN])])
@pytest.mark.parametrize("delays", [*DELAYS, (1.0, 1.0, 1.0)])
async def test_fail_fast_ignores_arrival_order(
    services: Services, answers: tuple[Answer, ...], delays: tuple[float, float, float]
) -> None:
    calls = [
        services.call(f"{n}", answer, after=delay)
        for n, (answer, delay) in enumerate(zip(answers, delays, strict=True))
    ]

    assert await run_fail_fast(*calls) == next(answer for answer in answers if isinstance(answer, Err))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 10)), min_size=3, max_size=3))
async def test_fail_fast_ignores_random_delays(answers: list[tuple[bool, float]]) -> None:
    services, failures = Services(), [Err(Conflict(f"{n}")) for n in range(3)]
    calls = [
        services.call(f"{n}", failures[n] if fails else Ok(n), after=delay)
        for n, (fails, delay) in enumerate(answers)
    ]

    result = await run_fail_fast(*calls)

    first = next((failures[n] for n, (fails, _) in enumerate(answers) if fails), None)
    assert result == (first or Ok((0, 1, 2)))


async def test_fail_fast_waits_for_cleanup(services: Services) -> None:
    await run_fail_fast(
        services.call("a", MISSING, after=1), services.hang("b", cleanup=3), services.hang("c", cleanup=2)
    )

    assert services.log[-2:] == ["c cleaned up", "b cleaned up"]
    assert now() == 4


async def test_fail_fast_cancels_each_call_once(services: Services) -> None:
    result = await run_fail_fast(
        services.call("a", TAKEN, after=2),
        services.call("b", MISSING, after=1),
        services.hang("c", cleanup=5),
    )

    assert result == TAKEN
    assert now() == 6  # 1 + 5: a second cancellation, at 2, would cut the cleanup short


async def test_fail_fast_drops_failure_of_cancelled_call(services: Services) -> None:
    async def fail_when_cancelled() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return TAKEN

    result = await run_fail_fast(
        services.call("a", MISSING), services.call("b"), Call("failing", fail_when_cancelled)
    )

    assert result == MISSING


async def test_fail_fast_awaits_call_that_ignores_cancellation(services: Services) -> None:
    async def ignore_cancellation() -> Answer:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(4)
        return Ok(1)

    result = await run_fail_fast(
        services.call("a", MISSING), services.call("b"), Call("stubborn", ignore_cancellation)
    )

    assert result == MISSING
    assert now() == 4


async def test_fail_fast_raises_bug_in_cleanup(services: Services) -> None:
    async def raise_in_cleanup() -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_fail_fast(services.call("a", MISSING), services.call("b"), Call("broken", raise_in_cleanup))


async def test_fail_fast_returns_all_values(services: Services) -> None:
    assert await run_fail_fast(services.call("a"), services.call("b", after=2), services.call("c")) == Ok(
        (1, 1, 1)
    )


async def test_timeout_works_after_fail_fast(services: Services) -> None:
    await run_fail_fast(services.call("a", MISSING), services.hang("b"), services.hang("c"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await asyncio.Event().wait()
    assert count_cancellations() == 0
