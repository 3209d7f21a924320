"""Where exceptions become values."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from gateway.railway import Err, Gone, Ok, Result, Run, Unexpected, attempt, attempt_async, railway


def divide(a: int, *, by: int) -> float:
    return a / by


async def divide_later(a: int, *, by: int) -> float:
    await asyncio.sleep(0)
    return a / by


def fault_of(result: Result[object, Unexpected]) -> Unexpected:
    match result:
        case Ok(value):
            raise AssertionError(value)
        case Err(error):
            return error


async def test_what_succeeds_is_ok() -> None:
    assert attempt(divide, 4, by=2) == Ok(2)
    assert await attempt_async(divide_later, 4, by=2) == Ok(2)


async def test_an_exception_becomes_unexpected_and_says_which_it_was() -> None:
    error = fault_of(attempt(divide, 4, by=0))
    later = fault_of(await attempt_async(divide_later, 4, by=0))

    assert error.detail == later.detail == "ZeroDivisionError: division by zero"


async def test_the_fault_id_stands_in_the_log_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    error = fault_of(attempt(divide, 4, by=0))
    later = fault_of(await attempt_async(divide_later, 4, by=0))

    assert [record.getMessage() for record in caplog.records] == [
        f"fault {error.fault}",
        f"fault {later.fault}",
    ]
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_every_fault_has_an_id_of_its_own() -> None:
    faults = {fault_of(attempt(divide, 1, by=0)).fault for _ in range(10)}

    assert len(faults) == 10


async def test_what_an_async_function_raises_before_it_is_awaited_is_caught_too() -> None:
    def at_once(_: int) -> asyncio.Future[int]:
        raise LookupError

    assert fault_of(await attempt_async(at_once, 1)).detail == "LookupError: "


def raise_it(error: BaseException) -> None:
    raise error


async def raise_it_later(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("passing", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_what_is_no_exception_passes(passing: type[BaseException]) -> None:
    with pytest.raises(passing):
        attempt(raise_it, passing())
    with pytest.raises(passing):
        await attempt_async(raise_it_later, passing())


async def leave(run: Run[Gone]) -> Result[None, Unexpected]:
    return attempt(lambda: run.fail(Gone()))


async def leave_later(run: Run[Gone]) -> Result[None, Unexpected]:
    async def fail() -> None:
        run.fail(Gone())

    return await attempt_async(fail)


@pytest.mark.parametrize("pipeline", [leave, leave_later])
async def test_the_leaving_of_a_run_passes(
    pipeline: Callable[[Run[Gone]], asyncio.Future[Result[None, Unexpected]]],
) -> None:
    assert await railway(pipeline)() == Err(Gone())
