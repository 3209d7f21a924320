"""Parallel calls and their combinators."""

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
    Missing,
    NotFound,
    Ok,
    Parallel,
    TimedOut,
    parallel,
)
from tests.railway.scripted_calls import MISSING, TAKEN, Services, now

Both = Parallel[Failure, int, int]


@pytest.fixture
def both(services: Services) -> Both:
    return parallel(services.call("a", Ok(3, lacks=("x",)), after=2), services.call("b", Ok(4), after=1))


@pytest.fixture
def failed(services: Services) -> Both:
    return parallel(services.call("a", MISSING), services.call("b", TAKEN))


def multiply(a: int, b: int) -> int:
    return a * b


async def multiply_later(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a * b


def fail_if_called(*_: object) -> Ok[int]:
    pytest.fail("this function must not be called")


async def test_parallel_keeps_order_of_values(both: Both) -> None:
    assert await both == Ok((3, 4), lacks=("x",))
    assert now() == 2


async def test_parallel_combines_failures(failed: Both) -> None:
    assert await failed == Err(Aggregate((NotFound("missing"), Conflict("taken"))))


async def test_parallel_returns_single_failure_as_is(services: Services) -> None:
    assert await parallel(services.call("a"), services.call("b", TAKEN)) == TAKEN


async def test_parallel_of_single_call_returns_tuple(services: Services) -> None:
    assert await parallel(services.call("a")) == Ok((1,))


async def test_each_await_of_parallel_makes_calls(both: Both, services: Services) -> None:
    """Describing the calls starts nothing."""
    assert services.log == []
    assert await both == await both
    assert services.log.count("a ended") == 2


@pytest.mark.parametrize("change", [multiply, multiply_later])
async def test_parallel_map_receives_all_values(both: Both, change: Callable[[int, int], int]) -> None:
    assert await both.map(change) == Ok(12, lacks=("x",))


async def test_parallel_map_skips_failure(failed: Both) -> None:
    assert isinstance(await failed.map(fail_if_called), Err)


async def test_parallel_bind_continues_with_calls(both: Both, services: Services) -> None:
    chain = both.bind(lambda a, b: parallel(services.call("c", Ok(a + b)), services.call("d", Ok(a - b))))

    assert await chain == Ok((7, -1), lacks=("x",))
    assert services.log[3:6] == ["a ended", "c started", "d started"]


async def test_nested_bind_can_use_earlier_values(both: Both, services: Services) -> None:
    chain = both.bind(
        lambda a, b: parallel(services.call("c", Ok(a + b)), services.call("d")).map(
            lambda c, d: (a, b, c, d)
        )
    )

    assert await chain == Ok((3, 4, 7, 1), lacks=("x",))


async def test_failed_parallel_skips_bound_calls(failed: Both, services: Services) -> None:
    await failed.bind(lambda _a, _b: services.call("c"))

    assert "c started" not in services.log


async def test_parallel_bind_continues_with_result(both: Both) -> None:
    assert await both.bind(lambda a, b: Err(Conflict(f"{a}{b}"))) == Err(Conflict("34"))


async def test_parallel_tap_sees_and_keeps_values(both: Both, services: Services) -> None:
    tapped = both.tap(lambda a, b: services.log.append(f"saw {a}, {b}"))

    assert await tapped.map(multiply) == Ok(12, lacks=("x",))
    assert services.log[-1] == "saw 3, 4"


async def test_parallel_tap_awaits_async_function(both: Both, services: Services) -> None:
    async def look(a: int, b: int) -> None:
        await asyncio.sleep(1)
        services.log.append(f"saw {a}, {b}")

    await both.tap(look)

    assert services.log[-1] == "saw 3, 4"


@pytest.mark.parametrize("least", [12, 13])
async def test_parallel_ensure_rejects_invalid_values(both: Both, least: int) -> None:
    async def is_enough(a: int, b: int) -> bool:
        await asyncio.sleep(0)
        return a * b >= least

    expected = {12: Ok((3, 4), lacks=("x",)), 13: Err(Gone("12"))}
    assert await both.ensure(is_enough, lambda a, b: Gone(f"{a * b}")) == expected[least]
    assert await both.ensure(lambda a, b: a * b >= least, lambda a, b: Gone(f"{a * b}")) == expected[least]


async def test_parallel_tap_error_sees_and_keeps_failure(failed: Both, services: Services) -> None:
    result = await failed.tap_error(lambda error: services.log.append(error.detail))

    assert result == await failed
    assert "2 calls failed" in services.log


async def test_parallel_map_error_changes_failure(failed: Both) -> None:
    assert await failed.map_error(lambda error: Gone(error.detail)) == Err(Gone("2 calls failed"))


async def test_parallel_within_limits_all_calls(both: Both) -> None:
    late = TimedOut("a & b took longer than 1.5 s", source="a & b", budget=1.5)

    assert await both.within(1.5) == Err(late)
    assert isinstance(await both.within(2.5), Ok)


async def test_parallel_can_fail_fast(services: Services) -> None:
    result = await parallel(services.call("a", MISSING), services.hang("b"), policy=FAIL_FAST)

    assert result == MISSING
    assert now() == 0


async def test_parallel_is_named_after_its_calls(services: Services) -> None:
    calls = services.call("users.fetch"), services.call("stock.check")

    assert parallel(*calls).call.name == "users.fetch & stock.check"
    assert parallel(*calls, name="core").call.name == "core"


async def test_parallel_can_be_used_as_call(both: Both, services: Services) -> None:
    pair: Call[tuple[int, int], Failure] = both.call

    assert await parallel(pair, services.call("c")) == Ok(((3, 4), 1), lacks=("x",))
    assert await parallel(services.call("a", MISSING), services.call("b")).call.optional() != MISSING


async def test_parallel_recover_replaces_failure(failed: Both, both: Both) -> None:
    recovered = failed.recover(lambda error: Ok(error.detail))

    assert await recovered == Ok("2 calls failed")
    assert await both.recover(fail_if_called) == await both


async def test_parallel_recover_awaits_call(failed: Both, services: Services) -> None:
    assert await failed.recover(lambda _: services.call("spare", Ok(7))) == Ok(7)


async def test_parallel_recover_can_be_conditional(failed: Both) -> None:
    never = failed.recover(fail_if_called, when=lambda error: isinstance(error, Gone))

    assert await never == await failed
    assert await failed.recover(lambda _: Ok(0), when=lambda error: isinstance(error, Aggregate)) == Ok(0)


async def test_optional_parallel_never_fails(failed: Both, both: Both) -> None:
    missing = Missing("a & b", Aggregate((NotFound("missing"), Conflict("taken"))))

    assert await failed.optional() == Ok(missing, lacks=("a & b",))
    assert await failed.optional(None) == Ok(None, lacks=("a & b",))
    assert await both.optional() == Ok((3, 4), lacks=("x",))


async def test_parallel_takes_list_of_calls(services: Services) -> None:
    calls = [services.call(f"{n}", Ok(n)) for n in range(12)]

    assert await parallel(*calls) == Ok((*range(12),))
