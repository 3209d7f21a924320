"""Calls side by side, in a chain."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    Conflict,
    Err,
    Failure,
    Gone,
    NotFound,
    Ok,
    Parallel,
    TimedOut,
    parallel,
)
from tests.railway.scripted_calls import MISSING, TAKEN, World, now

Both = Parallel[Failure, int, int]


@pytest.fixture
def both(world: World) -> Both:
    return parallel(world.call("a", Ok(3, lacks=("x",)), after=2), world.call("b", Ok(4), after=1))


@pytest.fixture
def failed(world: World) -> Both:
    return parallel(world.call("a", MISSING), world.call("b", TAKEN))


def multiply(a: int, b: int) -> int:
    return a * b


async def multiply_later(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a * b


def untouched(*_: object) -> Ok[int]:
    pytest.fail("the other rail was touched")


async def test_values_come_in_argument_order(both: Both) -> None:
    assert await both == Ok((3, 4), lacks=("x",))
    assert now() == 2


async def test_several_failures_are_combined(failed: Both) -> None:
    assert await failed == Err(Aggregate((NotFound("missing"), Conflict("taken"))))


async def test_the_failure_of_one_call_stays_itself(world: World) -> None:
    assert await parallel(world.call("a"), world.call("b", TAKEN)) == TAKEN


async def test_one_call_alone_is_a_tuple_of_one(world: World) -> None:
    assert await parallel(world.call("a")) == Ok((1,))


async def test_describing_it_starts_nothing_and_awaiting_it_twice_makes_it_twice(
    both: Both, world: World
) -> None:
    assert world.log == []
    assert await both == await both
    assert world.log.count("a ended") == 2


@pytest.mark.parametrize("change", [multiply, multiply_later])
async def test_map_makes_one_value_of_all(both: Both, change: Callable[[int, int], int]) -> None:
    assert await both.map(change) == Ok(12, lacks=("x",))


async def test_map_leaves_a_failure_alone(failed: Both) -> None:
    assert isinstance(await failed.map(untouched), Err)


async def test_bind_goes_on_with_further_calls(both: Both, world: World) -> None:
    onward = both.bind(lambda a, b: parallel(world.call("c", Ok(a + b)), world.call("d", Ok(a - b))))

    assert await onward == Ok((7, -1), lacks=("x",))
    assert world.log[3:6] == ["a ended", "c started", "d started"]


async def test_a_chain_reaches_back_to_earlier_values_and_ends_in_one(both: Both, world: World) -> None:
    chain = both.bind(
        lambda a, b: parallel(world.call("c", Ok(a + b)), world.call("d")).map(lambda c, d: (a, b, c, d))
    )

    assert await chain == Ok((3, 4, 7, 1), lacks=("x",))


async def test_a_failed_stage_of_a_chain_keeps_later_ones_from_running(failed: Both, world: World) -> None:
    await failed.bind(lambda _a, _b: world.call("c"))

    assert "c started" not in world.log


async def test_bind_goes_on_with_a_result(both: Both) -> None:
    assert await both.bind(lambda a, b: Err(Conflict(f"{a}{b}"))) == Err(Conflict("34"))


async def test_tap_shows_the_values_and_changes_nothing(both: Both, world: World) -> None:
    tapped = both.tap(lambda a, b: world.log.append(f"saw {a}, {b}"))

    assert await tapped.map(multiply) == Ok(12, lacks=("x",))
    assert world.log[-1] == "saw 3, 4"


async def test_tap_waits_for_an_async_function(both: Both, world: World) -> None:
    async def look(a: int, b: int) -> None:
        await asyncio.sleep(1)
        world.log.append(f"saw {a}, {b}")

    await both.tap(look)

    assert world.log[-1] == "saw 3, 4"


@pytest.mark.parametrize("least", [12, 13])
async def test_ensure_fails_values_that_do_not_hold(both: Both, least: int) -> None:
    async def is_enough(a: int, b: int) -> bool:
        await asyncio.sleep(0)
        return a * b >= least

    expected = {12: Ok((3, 4), lacks=("x",)), 13: Err(Gone("12"))}
    assert await both.ensure(is_enough, lambda a, b: Gone(f"{a * b}")) == expected[least]
    assert await both.ensure(lambda a, b: a * b >= least, lambda a, b: Gone(f"{a * b}")) == expected[least]


async def test_tap_error_shows_the_failure_and_changes_nothing(failed: Both, world: World) -> None:
    result = await failed.tap_error(lambda error: world.log.append(error.detail))

    assert result == await failed
    assert "2 calls failed" in world.log


async def test_map_error_changes_the_failure(failed: Both) -> None:
    assert await failed.map_error(lambda error: Gone(error.detail)) == Err(Gone("2 calls failed"))


async def test_within_limits_all_of_it(both: Both) -> None:
    late = TimedOut("a & b took longer than 1.5 s", source="a & b", budget=1.5)

    assert await both.within(1.5) == Err(late)
    assert isinstance(await both.within(2.5), Ok)


async def test_it_fails_fast_when_told_to(world: World) -> None:
    result = await parallel(world.call("a", MISSING), world.hung("b"), policy=FAIL_FAST)

    assert result == MISSING
    assert now() == 0


async def test_it_is_called_as_it_is_told_or_as_its_calls_are(world: World) -> None:
    calls = world.call("users.fetch"), world.call("stock.check")

    assert parallel(*calls).call.name == "users.fetch & stock.check"
    assert parallel(*calls, name="core").call.name == "core"


async def test_as_a_whole_it_is_a_call_like_any_other(both: Both, world: World) -> None:
    pair: Call[tuple[int, int], Failure] = both.call

    assert await parallel(pair, world.call("c")) == Ok(((3, 4), 1), lacks=("x",))
    assert await parallel(world.call("a", MISSING), world.call("b")).call.optional() != MISSING
