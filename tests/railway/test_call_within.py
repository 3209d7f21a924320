"""Time limits of calls: `within`, and the budget of optional calls."""

import asyncio
from typing import Any

import pytest

from gateway.railway import (
    Call,
    Conflict,
    Err,
    Failure,
    Missing,
    NotFound,
    Ok,
    Result,
    Run,
    RunContext,
    TimedOut,
    current_context,
    parallel,
    railway,
)
from tests.railway.scripted_calls import MISSING, Services, count_cancellations, now


async def read_deadline() -> Result[float | None, Failure]:
    return Ok(current_context().deadline)


READ_DEADLINE = Call("read deadline", read_deadline)
GRACE = 0.01
"""Seconds between the deadline of a call and its cancellation."""


@railway
async def single_call(_run: Run[Failure], call: Call[object, Failure]) -> Result[object, Failure]:
    return await call


async def test_within_returns_timed_out_with_budget(services: Services) -> None:
    result = await services.hang("slow").within(1.5)

    assert result == Err(TimedOut("slow took longer than 1.5 s", source="slow", budget=1.5))
    assert services.log == ["slow started", "slow cleaned up"]
    assert now() == 1.5 + GRACE
    assert count_cancellations() == 0


async def test_call_timing_out_at_limit_returns_own_failure() -> None:
    late = Err(TimedOut("no answer", source="a"))

    async def stop_at_deadline() -> Result[int, Failure]:
        context = current_context()
        assert context.deadline is not None
        await asyncio.sleep(context.deadline - now())
        return late

    assert await Call("a", stop_at_deadline).within(1) == late
    assert now() == 1


async def test_context_of_optional_call_is_marked_optional() -> None:
    async def read_is_optional() -> Result[bool, Failure]:
        return Ok(current_context().is_optional)

    read = Call("read is_optional", read_is_optional)

    assert await parallel(read, read.optional(), read.within(1)) == Ok((False, True, False))
    assert not current_context().is_optional


async def test_within_keeps_result_of_fast_call(services: Services) -> None:
    assert await services.call("a", after=1).within(2) == Ok(1)
    assert await services.call("b", MISSING, after=1).within(2) is MISSING


async def test_within_waits_for_cleanup(services: Services) -> None:
    await services.hang("slow", cleanup=3).within(1)

    assert now() == 4 + GRACE


async def test_within_shortens_deadline_of_call() -> None:
    await asyncio.sleep(10)

    assert await READ_DEADLINE.within(2) == Ok(12)
    assert await single_call.on(RunContext(deadline=50))(READ_DEADLINE.within(2)) == Ok(Ok(12))


@pytest.mark.parametrize("earlier", [11.0, 10.0, 0.0, -1.0])
async def test_within_never_extends_deadline(earlier: float) -> None:
    await asyncio.sleep(10)

    assert await single_call.on(RunContext(deadline=earlier))(READ_DEADLINE.within(2)) == Ok(Ok(earlier))


async def test_shortest_of_nested_within_limits_applies(services: Services) -> None:
    assert await READ_DEADLINE.within(5).within(2).within(9) == Ok(2)
    result = await services.hang("slow").within(5).within(2).within(9)

    assert result == Err(TimedOut("slow took longer than 2 s", source="slow", budget=2))


async def test_within_restores_deadline() -> None:
    await READ_DEADLINE.within(2)

    assert current_context().deadline is None


async def test_limits_of_sibling_calls_are_independent(services: Services) -> None:
    result = await parallel(
        READ_DEADLINE.within(1), READ_DEADLINE, READ_DEADLINE.within(3), services.call("a")
    )

    assert result == Ok((1, None, 3, 1))


async def test_timeout_error_raised_by_call_is_bug(services: Services) -> None:
    with pytest.raises(TimeoutError, match="raised by the call"):
        await services.call("a", TimeoutError("raised by the call")).within(1)


async def test_timeout_error_at_limit_becomes_timed_out() -> None:
    async def raise_timeout_error() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            raise TimeoutError

    assert await Call("a", raise_timeout_error).within(1) == Err(
        TimedOut("a took longer than 1 s", source="a", budget=1)
    )


async def test_cause_of_timeout_error_at_limit_is_ignored() -> None:
    async def raise_timeout_error() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            cause = ConnectionError("closed")
            cause.__cause__ = OSError("by peer")
            raise TimeoutError from cause

    assert isinstance(await Call("a", raise_timeout_error).within(1), Err)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True, None])
def test_within_requires_positive_finite_seconds(seconds: Any) -> None:  # noqa: ANN401 - of any type
    message = f"^seconds must be a positive, finite number of seconds, got {seconds!r}$"
    with pytest.raises(ValueError, match=message):
        _ = READ_DEADLINE.within(seconds)
    with pytest.raises(ValueError, match=message):
        _ = parallel(READ_DEADLINE, READ_DEADLINE).within(seconds)


async def test_cancelled_call_with_limit_raises(services: Services) -> None:
    request = asyncio.ensure_future(services.hang("a").within(5).make())
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert now() == 1


async def test_cancellation_during_timeout_cleanup_is_raised(services: Services) -> None:
    request = asyncio.ensure_future(services.hang("a", cleanup=2).within(5).make())
    await asyncio.sleep(6)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_within_times_out_whole_stage(services: Services) -> None:
    result = await parallel(services.hang("a"), services.call("b")).within(1)

    assert result == Err(TimedOut("a & b took longer than 1 s", source="a & b", budget=1))
    assert services.log[-1] == "a cleaned up"


async def test_bug_in_cleanup_after_timeout_propagates(services: Services) -> None:
    async def fail_in_cleanup() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Call("broken", fail_in_cleanup).within(1)
    with pytest.raises(ZeroDivisionError):
        await parallel(services.hang("a"), Call("broken", fail_in_cleanup)).within(1)


async def test_failed_optional_call_is_listed_as_missing(services: Services) -> None:
    assert await services.call("a", Ok(7)).optional() == Ok(7)
    assert await services.call("b", MISSING).optional() == Ok(Missing("b", NotFound("missing")), lacks=("b",))


@pytest.mark.parametrize("default", [None, 0, "none"])
async def test_failed_optional_call_returns_default(services: Services, default: object) -> None:
    assert await services.call("b", MISSING).optional(default) == Ok(default, lacks=("b",))


async def test_optional_call_keeps_names_of_missing_calls(services: Services) -> None:
    assert await services.call("a", Ok(7, lacks=("x",))).optional() == Ok(7, lacks=("x",))


async def test_optional_call_does_not_fail_stage(services: Services) -> None:
    result = await parallel(
        services.call("a"), services.call("b", MISSING).optional(None), services.call("c")
    )

    assert result == Ok((1, None, 1), lacks=("b",))


async def test_optional_call_has_no_limit_by_default(services: Services) -> None:
    assert await services.call("a", after=1000).optional() == Ok(1)
    assert await READ_DEADLINE.optional() == Ok(None)


async def test_optional_call_respects_optional_budget(services: Services) -> None:
    limited = single_call.on(RunContext(optional_budget=0.5))

    late = TimedOut("a took longer than 0.5 s", source="a", budget=0.5)
    assert await limited(services.hang("a").optional()) == Ok(Ok(Missing("a", late), lacks=("a",)))
    assert now() == 0.5 + GRACE
    assert await limited(READ_DEADLINE.optional()) == Ok(Ok(1.01))


async def test_optional_budget_does_not_limit_required_calls(services: Services) -> None:
    assert await single_call.on(RunContext(optional_budget=0.5))(services.call("a", after=9)) == Ok(Ok(1))


async def test_bug_in_optional_call_propagates(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await services.call("a", ZeroDivisionError()).optional(0)


async def test_bind_after_optional_call_can_fail(services: Services) -> None:
    chain = services.call("a", MISSING).optional(0).bind(lambda n: services.call("b", Err(Conflict(f"{n}"))))

    assert await chain == Err(Conflict("0"))
