"""Combinators of `Call`, with sync and async functions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import pytest

from gateway.railway import Call, Conflict, Err, Failure, Gone, NotFound, Ok, Result
from tests.railway.scripted_calls import MISSING, Answer, Services

T = TypeVar("T")
U = TypeVar("U")


class MaybeAsync:
    """Makes a function async, or leaves it sync; the type checkers see a sync function."""

    def __init__(self, *, is_async: bool) -> None:
        self._is_async = is_async

    def __call__(self, function: Callable[[T], U]) -> Callable[[T], U]:
        async def later(value: T) -> U:
            await asyncio.sleep(1)
            return function(value)

        return cast("Callable[[T], U]", later) if self._is_async else function


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def adapt(request: pytest.FixtureRequest) -> MaybeAsync:
    return MaybeAsync(is_async=request.param)


@pytest.fixture
def fine(services: Services) -> Call[int, Failure]:
    return services.call("fine", Ok(7, lacks=("extra",)))


@pytest.fixture
def failed(services: Services) -> Call[int, Failure]:
    return services.call("failed", MISSING)


def plus_one(n: int) -> Answer:
    return Ok(n + 1, lacks=("more",))


def recover_detail(error: Failure) -> Result[str, Gone]:
    return Ok(error.detail)


def fail_if_called(_: object) -> Answer:
    pytest.fail("this function must not be called")


async def test_call_map_changes_value(fine: Call[int, Failure], adapt: MaybeAsync) -> None:
    assert await fine.map(adapt(str)) == Ok("7", lacks=("extra",))


async def test_call_map_skips_failure(failed: Call[int, Failure]) -> None:
    assert await failed.map(fail_if_called) is MISSING


async def test_call_bind_continues_with_result(fine: Call[int, Failure], adapt: MaybeAsync) -> None:
    assert await fine.bind(adapt(plus_one)) == Ok(8, lacks=("extra", "more"))


async def test_call_bind_continues_with_call(fine: Call[int, Failure], services: Services) -> None:
    chain = fine.bind(lambda n: services.call("next", Ok(n + 1, lacks=("more",))))

    assert await chain == Ok(8, lacks=("extra", "more"))
    assert services.log == ["fine started", "fine ended", "next started", "next ended"]


async def test_call_bind_returns_failure_of_bound_call(fine: Call[int, Failure], services: Services) -> None:
    assert await fine.bind(lambda _: services.call("next", MISSING)) == MISSING


async def test_call_bind_skips_failure(failed: Call[int, Failure]) -> None:
    assert await failed.bind(fail_if_called) is MISSING


async def test_call_tap_sees_and_keeps_value(
    fine: Call[int, Failure], adapt: MaybeAsync, services: Services
) -> None:
    assert await fine.tap(adapt(lambda n: services.log.append(f"saw {n}"))) == Ok(7, lacks=("extra",))
    assert services.log[-1] == "saw 7"


async def test_call_tap_skips_failure(failed: Call[int, Failure]) -> None:
    assert await failed.tap(fail_if_called) is MISSING


async def test_call_tap_error_sees_and_keeps_failure(
    failed: Call[int, Failure], adapt: MaybeAsync, services: Services
) -> None:
    assert await failed.tap_error(adapt(lambda error: services.log.append(error.detail))) is MISSING
    assert services.log[-1] == "missing"


async def test_call_tap_error_skips_value(fine: Call[int, Failure]) -> None:
    assert await fine.tap_error(fail_if_called) == Ok(7, lacks=("extra",))


async def test_call_ensure_keeps_valid_value(fine: Call[int, Failure], adapt: MaybeAsync) -> None:
    ensured = fine.ensure(adapt(lambda n: n > 0), lambda n: Conflict(f"{n}"))

    assert await ensured == Ok(7, lacks=("extra",))


async def test_call_ensure_rejects_invalid_value(fine: Call[int, Failure], adapt: MaybeAsync) -> None:
    ensured = fine.ensure(adapt(lambda n: n < 0), lambda n: Conflict(f"{n}"))

    assert await ensured == Err(Conflict("7"))


async def test_call_ensure_skips_failure(failed: Call[int, Failure]) -> None:
    assert await failed.ensure(lambda _: pytest.fail("called"), lambda _: Gone()) is MISSING


async def test_call_map_error_changes_failure(failed: Call[int, Failure], adapt: MaybeAsync) -> None:
    assert await failed.map_error(adapt(lambda error: Gone(error.detail))) == Err(Gone("missing"))


async def test_call_map_error_skips_value(fine: Call[int, Failure]) -> None:
    assert await fine.map_error(lambda _: Gone(pytest.fail("called"))) == Ok(7, lacks=("extra",))


async def test_call_recover_replaces_failure(failed: Call[int, Failure], adapt: MaybeAsync) -> None:
    assert await failed.recover(adapt(recover_detail)) == Ok("missing")


async def test_call_recover_continues_with_call(failed: Call[int, Failure], services: Services) -> None:
    assert await failed.recover(lambda _: services.call("spare", Ok(2))) == Ok(2)
    assert services.log[-1] == "spare ended"


async def test_call_recover_replaces_matching_failure(failed: Call[int, Failure], adapt: MaybeAsync) -> None:
    rescued = failed.recover(adapt(recover_detail), when=lambda error: isinstance(error, NotFound))

    assert await rescued == Ok("missing")


async def test_call_recover_skips_unmatched_failure(failed: Call[int, Failure]) -> None:
    assert await failed.recover(fail_if_called, when=lambda error: isinstance(error, Gone)) is MISSING


async def test_call_recover_skips_value(fine: Call[int, Failure]) -> None:
    assert await fine.recover(fail_if_called) == Ok(7, lacks=("extra",))


async def test_bug_in_mapped_function_propagates(fine: Call[int, Failure], adapt: MaybeAsync) -> None:
    with pytest.raises(ZeroDivisionError):
        await fine.map(adapt(lambda _: 1 // 0))


async def test_deriving_call_sends_nothing_and_keeps_original(
    fine: Call[int, Failure], services: Services
) -> None:
    _ = fine.map(str).tap(print).ensure(bool, lambda _: Gone())

    assert services.log == []
    assert not fine.is_shaped


def return_later(value: T) -> Callable[[object], Awaitable[T]]:
    async def function(_: object) -> T:
        await asyncio.sleep(0)
        return value

    return function


async def test_chain_of_async_functions_runs_in_order(fine: Call[int, Failure]) -> None:
    chain = (
        fine.map(return_later("x"))
        .bind(return_later(Ok("y")))
        .ensure(return_later(value=True), lambda _: Gone())
        .tap(return_later(0))
    )

    assert await chain == Ok("y", lacks=("extra",))


@pytest.mark.parametrize("result", [Ok(1), MISSING])
async def test_call_map_rejects_function_that_returns_result(
    fine: Call[int, Failure], result: Answer
) -> None:
    """Otherwise the result's failure would pass as a value."""
    with pytest.raises(TypeError, match="use bind instead"):
        await fine.map(lambda _: result)
