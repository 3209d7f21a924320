"""`attempt` and `attempt_async`, which turn exceptions into values."""

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


def get_fault(result: Result[object, Unexpected]) -> Unexpected:
    match result:
        case Ok(value):
            raise AssertionError(value)
        case Err(error):
            return error


async def test_attempt_returns_ok_on_success() -> None:
    assert attempt(divide, 4, by=2) == Ok(2)
    assert await attempt_async(divide_later, 4, by=2) == Ok(2)


async def test_attempt_turns_exception_into_unexpected() -> None:
    error = get_fault(attempt(divide, 4, by=0))
    later = get_fault(await attempt_async(divide_later, 4, by=0))

    assert error.detail == later.detail == "ZeroDivisionError: division by zero"


async def test_attempt_logs_fault_id_with_traceback(caplog: pytest.LogCaptureFixture) -> None:
    error = get_fault(attempt(divide, 4, by=0))
    later = get_fault(await attempt_async(divide_later, 4, by=0))

    assert [record.getMessage() for record in caplog.records] == [
        f"unexpected exception, fault id {error.fault}",
        f"unexpected exception, fault id {later.fault}",
    ]
    assert all(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)


def test_attempt_creates_unique_fault_ids() -> None:
    faults = {get_fault(attempt(divide, 1, by=0)).fault for _ in range(10)}

    assert len(faults) == 10


async def test_attempt_async_catches_error_before_await() -> None:
    def raise_at_once(_: int) -> asyncio.Future[int]:
        raise LookupError

    assert get_fault(await attempt_async(raise_at_once, 1)).detail == "LookupError: "


def raise_error(error: BaseException) -> None:
    raise error


async def raise_error_later(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_attempt_does_not_catch_base_exceptions(error: type[BaseException]) -> None:
    with pytest.raises(error):
        attempt(raise_error, error())
    with pytest.raises(error):
        await attempt_async(raise_error_later, error())


async def exit_run(run: Run[Gone]) -> Result[None, Unexpected]:
    return attempt(lambda: run.fail(Gone()))


async def exit_run_later(run: Run[Gone]) -> Result[None, Unexpected]:
    async def fail() -> None:
        run.fail(Gone())

    return await attempt_async(fail)


@pytest.mark.parametrize("pipeline", [exit_run, exit_run_later])
async def test_attempt_does_not_catch_run_fail(
    pipeline: Callable[[Run[Gone]], asyncio.Future[Result[None, Unexpected]]],
) -> None:
    assert await railway(pipeline)() == Err(Gone())


async def test_attempt_returns_expected_exception_as_error(caplog: pytest.LogCaptureFixture) -> None:
    result = attempt(ZeroDivisionError, divide, 4, by=0)
    later = await attempt_async(ZeroDivisionError, divide_later, 4, by=0)

    assert isinstance(result.match(str, lambda error: error), ZeroDivisionError)
    assert isinstance(later.match(str, lambda error: error), ZeroDivisionError)
    assert not caplog.records


async def test_attempt_with_exceptions_returns_ok_on_success() -> None:
    assert attempt(ZeroDivisionError, divide, 4, by=2) == Ok(2)
    assert await attempt_async((ZeroDivisionError, KeyError), divide_later, 4, by=2) == Ok(2)


async def test_attempt_lets_other_exceptions_propagate() -> None:
    with pytest.raises(ZeroDivisionError):
        attempt((KeyError, ValueError), divide, 4, by=0)
    with pytest.raises(ZeroDivisionError):
        await attempt_async(KeyError, divide_later, 4, by=0)


def test_attempt_catches_any_of_several_exceptions() -> None:
    result = attempt((KeyError, ArithmeticError), divide, 4, by=0)

    assert result.map_error(lambda error: Gone(f"{error}")) == Err(Gone("division by zero"))


def test_attempt_refuses_exceptions_that_must_propagate() -> None:
    classes: tuple[type[Exception], ...] = (ValueError, asyncio.CancelledError)  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"^cannot catch CancelledError, which is not an Exception$"):
        attempt(classes, divide, 4, by=1)
    with pytest.raises(TypeError, match=r"^cannot catch SystemExit, which is not an Exception$"):
        attempt(SystemExit, divide, 4, by=1)  # type: ignore[type-var]
