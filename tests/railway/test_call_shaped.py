"""Calls made of other calls; the functions given to them are sync or async."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import pytest

from gateway.railway import Call, Conflict, Err, Failure, Gone, NotFound, Ok, Result
from tests.railway.scripted_calls import MISSING, Answer, World

T = TypeVar("T")
U = TypeVar("U")


class Either:
    """Makes a function async, or leaves it sync; the type checkers are not told which."""

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    def __call__(self, function: Callable[[T], U]) -> Callable[[T], U]:
        async def later(value: T) -> U:
            await asyncio.sleep(1)
            return function(value)

        return cast("Callable[[T], U]", later) if self._is_async else function


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def either(request: pytest.FixtureRequest) -> Either:
    return Either(is_async=request.param)


@pytest.fixture
def fine(world: World) -> Call[int, Failure]:
    return world.call("fine", Ok(7, lacks=("extra",)))


@pytest.fixture
def failed(world: World) -> Call[int, Failure]:
    return world.call("failed", MISSING)


def plus_one(n: int) -> Answer:
    return Ok(n + 1, lacks=("more",))


def told(error: Failure) -> Result[str, Gone]:
    return Ok(error.detail)


def untouched(_: object) -> Answer:
    pytest.fail("the other rail was touched")


async def test_map_changes_the_value(fine: Call[int, Failure], either: Either) -> None:
    assert await fine.map(either(str)) == Ok("7", lacks=("extra",))


async def test_map_leaves_a_failure_alone(failed: Call[int, Failure]) -> None:
    assert await failed.map(untouched) is MISSING


async def test_bind_goes_on_with_a_result(fine: Call[int, Failure], either: Either) -> None:
    assert await fine.bind(either(plus_one)) == Ok(8, lacks=("extra", "more"))


async def test_bind_goes_on_with_another_call(fine: Call[int, Failure], world: World) -> None:
    onward = fine.bind(lambda n: world.call("next", Ok(n + 1, lacks=("more",))))

    assert await onward == Ok(8, lacks=("extra", "more"))
    assert world.log == ["fine started", "fine ended", "next started", "next ended"]


async def test_bind_fails_as_what_it_goes_on_with_fails(fine: Call[int, Failure], world: World) -> None:
    assert await fine.bind(lambda _: world.call("next", MISSING)) == MISSING


async def test_bind_leaves_a_failure_alone(failed: Call[int, Failure]) -> None:
    assert await failed.bind(untouched) is MISSING


async def test_tap_shows_the_value_and_changes_nothing(
    fine: Call[int, Failure], either: Either, world: World
) -> None:
    assert await fine.tap(either(lambda n: world.log.append(f"saw {n}"))) == Ok(7, lacks=("extra",))
    assert world.log[-1] == "saw 7"


async def test_tap_does_not_see_a_failure(failed: Call[int, Failure]) -> None:
    assert await failed.tap(untouched) is MISSING


async def test_tap_error_shows_the_failure_and_changes_nothing(
    failed: Call[int, Failure], either: Either, world: World
) -> None:
    assert await failed.tap_error(either(lambda error: world.log.append(error.detail))) is MISSING
    assert world.log[-1] == "missing"


async def test_tap_error_does_not_see_a_value(fine: Call[int, Failure]) -> None:
    assert await fine.tap_error(untouched) == Ok(7, lacks=("extra",))


async def test_ensure_keeps_a_value_that_holds(fine: Call[int, Failure], either: Either) -> None:
    ensured = fine.ensure(either(lambda n: n > 0), lambda n: Conflict(f"{n}"))

    assert await ensured == Ok(7, lacks=("extra",))


async def test_ensure_fails_a_value_that_does_not_hold(fine: Call[int, Failure], either: Either) -> None:
    ensured = fine.ensure(either(lambda n: n < 0), lambda n: Conflict(f"{n}"))

    assert await ensured == Err(Conflict("7"))


async def test_ensure_leaves_a_failure_alone(failed: Call[int, Failure]) -> None:
    assert await failed.ensure(lambda _: pytest.fail("touched"), lambda _: Gone()) is MISSING


async def test_map_error_changes_the_failure(failed: Call[int, Failure], either: Either) -> None:
    assert await failed.map_error(either(lambda error: Gone(error.detail))) == Err(Gone("missing"))


async def test_map_error_leaves_a_value_alone(fine: Call[int, Failure]) -> None:
    assert await fine.map_error(lambda _: Gone(pytest.fail("touched"))) == Ok(7, lacks=("extra",))


async def test_recover_gives_a_failure_one_more_chance(failed: Call[int, Failure], either: Either) -> None:
    assert await failed.recover(either(told)) == Ok("missing")


async def test_recover_goes_on_with_another_call(failed: Call[int, Failure], world: World) -> None:
    assert await failed.recover(lambda _: world.call("spare", Ok(2))) == Ok(2)
    assert world.log[-1] == "spare ended"


async def test_recover_when_it_is_one_of_those(failed: Call[int, Failure], either: Either) -> None:
    rescued = failed.recover(either(told), when=lambda error: isinstance(error, NotFound))

    assert await rescued == Ok("missing")


async def test_recover_leaves_a_failure_alone_when_it_is_none_of_those(failed: Call[int, Failure]) -> None:
    assert await failed.recover(untouched, when=lambda error: isinstance(error, Gone)) is MISSING


async def test_recover_leaves_a_value_alone(fine: Call[int, Failure]) -> None:
    assert await fine.recover(untouched) == Ok(7, lacks=("extra",))


async def test_a_bug_in_a_function_is_a_bug_of_the_call(fine: Call[int, Failure], either: Either) -> None:
    with pytest.raises(ZeroDivisionError):
        await fine.map(either(lambda _: 1 // 0))


async def test_shaping_starts_nothing_and_leaves_the_leaf_as_it_was(
    fine: Call[int, Failure], world: World
) -> None:
    _ = fine.map(str).tap(print).ensure(bool, lambda _: Gone())

    assert world.log == []
    assert not fine.is_shaped


def given(value: T) -> Callable[[object], Awaitable[T]]:
    async def give(_: object) -> T:
        await asyncio.sleep(0)
        return value

    return give


async def test_a_chain_of_async_functions_is_typed_and_made_in_order(fine: Call[int, Failure]) -> None:
    chain = (
        fine.map(given("x")).bind(given(Ok("y"))).ensure(given(value=True), lambda _: Gone()).tap(given(0))
    )

    assert await chain == Ok("y", lacks=("extra",))


@pytest.mark.parametrize("made", [Ok(1), MISSING])
async def test_map_refuses_a_function_that_makes_a_result_since_its_failure_would_be_a_value(
    fine: Call[int, Failure], made: Answer
) -> None:
    with pytest.raises(TypeError, match="that is what bind is for"):
        await fine.map(lambda _: made)
