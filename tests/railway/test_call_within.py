"""How long a call may take."""

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
from tests.railway.scripted_calls import MISSING, World, cancellations, now


async def deadline() -> Result[float | None, Failure]:
    return Ok(current_context().deadline)


LOOK = Call("look", deadline)
GRACE = 0.01
"""How much later than its deadline a call is cut off that does not keep to it."""


@railway
async def on(_run: Run[Failure], call: Call[object, Failure]) -> Result[object, Failure]:
    return await call


async def test_within_gives_timed_out_with_its_budget(world: World) -> None:
    result = await world.hung("slow").within(1.5)

    assert result == Err(TimedOut("slow took longer than 1.5 s", source="slow", budget=1.5))
    assert world.log == ["slow started", "slow cleaned up"]
    assert now() == 1.5 + GRACE
    assert cancellations() == 0


async def test_a_call_that_keeps_to_its_deadline_says_itself_why_it_was_late() -> None:
    late = Err(TimedOut("nobody answered", source="a"))

    async def punctual() -> Result[int, Failure]:
        around = current_context()
        assert around.deadline is not None
        await asyncio.sleep(around.deadline - now())
        return late

    assert await Call("a", punctual).within(1) == late
    assert now() == 1


async def test_what_an_optional_call_makes_can_see_that_it_is_optional() -> None:
    async def look() -> Result[bool, Failure]:
        return Ok(current_context().is_optional)

    seen = Call("look", look)

    assert await parallel(seen, seen.optional(), seen.within(1)) == Ok((False, True, False))
    assert not current_context().is_optional


async def test_within_leaves_a_call_in_time_alone(world: World) -> None:
    assert await world.call("a", after=1).within(2) == Ok(1)
    assert await world.call("b", MISSING, after=1).within(2) is MISSING


async def test_within_waits_for_the_clean_up(world: World) -> None:
    await world.hung("slow", cleanup=3).within(1)

    assert now() == 4 + GRACE


async def test_within_clips_the_deadline_that_the_inner_call_sees() -> None:
    await asyncio.sleep(10)

    assert await LOOK.within(2) == Ok(12)
    assert await on.on(RunContext(deadline=50))(LOOK.within(2)) == Ok(Ok(12))


@pytest.mark.parametrize("earlier", [11.0, 10.0, 0.0, -1.0])
async def test_within_never_moves_the_deadline_out(earlier: float) -> None:
    await asyncio.sleep(10)

    assert await on.on(RunContext(deadline=earlier))(LOOK.within(2)) == Ok(Ok(earlier))


async def test_the_shortest_of_several_limits_counts(world: World) -> None:
    assert await LOOK.within(5).within(2).within(9) == Ok(2)
    result = await world.hung("slow").within(5).within(2).within(9)

    assert result == Err(TimedOut("slow took longer than 2 s", source="slow", budget=2))


async def test_after_the_call_the_deadline_is_what_it_was() -> None:
    await LOOK.within(2)

    assert current_context().deadline is None


async def test_the_limits_of_two_calls_in_a_stage_are_their_own(world: World) -> None:
    result = await parallel(LOOK.within(1), LOOK, LOOK.within(3), world.call("a"))

    assert result == Ok((1, None, 3, 1))


async def test_a_foreign_timeout_passes_as_a_bug(world: World) -> None:
    with pytest.raises(TimeoutError, match="not ours"):
        await world.call("a", TimeoutError("not ours")).within(1)


async def test_a_foreign_timeout_at_the_very_end_is_ours() -> None:
    async def stubborn() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            raise TimeoutError

    assert await Call("a", stubborn).within(1) == Err(
        TimedOut("a took longer than 1 s", source="a", budget=1)
    )


async def test_what_a_foreign_timeout_at_the_very_end_came_of_is_no_bug() -> None:
    async def stubborn() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            broken = ConnectionError("closed")
            broken.__cause__ = OSError("by peer")
            raise TimeoutError from broken

    assert isinstance(await Call("a", stubborn).within(1), Err)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True, None])
def test_limit_must_be_positive_and_finite(seconds: Any) -> None:  # noqa: ANN401 - also of a wrong type
    message = f"^seconds must be a positive, finite number of seconds, got {seconds!r}$"
    with pytest.raises(ValueError, match=message):
        _ = LOOK.within(seconds)
    with pytest.raises(ValueError, match=message):
        _ = parallel(LOOK, LOOK).within(seconds)


async def test_cancelled_from_outside_a_limited_call_is_cancelled_and_not_timed_out(world: World) -> None:
    request = asyncio.ensure_future(world.hung("a").within(5).make())
    await asyncio.sleep(1)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert now() == 1


async def test_cancelled_from_outside_as_its_time_runs_out_it_is_cancelled(world: World) -> None:
    request = asyncio.ensure_future(world.hung("a", cleanup=2).within(5).make())
    await asyncio.sleep(6)
    request.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request


async def test_a_stage_within_a_limit_is_timed_out_as_a_whole(world: World) -> None:
    result = await parallel(world.hung("a"), world.call("b")).within(1)

    assert result == Err(TimedOut("a & b took longer than 1 s", source="a & b", budget=1))
    assert world.log[-1] == "a cleaned up"


async def test_a_bug_that_comes_to_light_when_a_stage_is_timed_out_is_not_lost(world: World) -> None:
    async def sore() -> Result[int, Failure]:
        try:
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Call("sore", sore).within(1)
    with pytest.raises(ZeroDivisionError):
        await parallel(world.hung("a"), Call("sore", sore)).within(1)


async def test_an_optional_call_never_fails_and_says_what_is_missing(world: World) -> None:
    assert await world.call("a", Ok(7)).optional() == Ok(7)
    assert await world.call("b", MISSING).optional() == Ok(Missing("b", NotFound("missing")), lacks=("b",))


@pytest.mark.parametrize("default", [None, 0, "none"])
async def test_an_optional_call_gives_its_default(world: World, default: object) -> None:
    assert await world.call("b", MISSING).optional(default) == Ok(default, lacks=("b",))


async def test_an_optional_call_keeps_what_its_value_lacks(world: World) -> None:
    assert await world.call("a", Ok(7, lacks=("x",))).optional() == Ok(7, lacks=("x",))


async def test_an_optional_call_does_not_fail_its_stage(world: World) -> None:
    result = await parallel(world.call("a"), world.call("b", MISSING).optional(None), world.call("c"))

    assert result == Ok((1, None, 1), lacks=("b",))


async def test_an_optional_call_has_all_the_time_it_wants_by_default(world: World) -> None:
    assert await world.call("a", after=1000).optional() == Ok(1)
    assert await LOOK.optional() == Ok(None)


async def test_an_optional_call_honours_the_optional_budget(world: World) -> None:
    hurried = on.on(RunContext(optional_budget=0.5))

    late = TimedOut("a took longer than 0.5 s", source="a", budget=0.5)
    assert await hurried(world.hung("a").optional()) == Ok(Ok(Missing("a", late), lacks=("a",)))
    assert now() == 0.5 + GRACE
    assert await hurried(LOOK.optional()) == Ok(Ok(1.01))


async def test_the_optional_budget_is_for_optional_calls_alone(world: World) -> None:
    assert await on.on(RunContext(optional_budget=0.5))(world.call("a", after=9)) == Ok(Ok(1))


async def test_a_bug_in_an_optional_call_is_a_bug(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        await world.call("a", ZeroDivisionError()).optional(0)


async def test_an_optional_call_may_go_on(world: World) -> None:
    onward = world.call("a", MISSING).optional(0).bind(lambda n: world.call("b", Err(Conflict(f"{n}"))))

    assert await onward == Err(Conflict("0"))
