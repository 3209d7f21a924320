"""Pipeline as its callers see it: context, arguments and the errors of its run."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Never, TypeAlias

import pytest

from gateway.railway import (
    Aggregate,
    Call,
    Conflict,
    Err,
    Failure,
    Gone,
    NotFound,
    Ok,
    Pipeline,
    Result,
    Run,
    RunContext,
    UpstreamFault,
    current_context,
    railway,
)
from gateway.railway.errors import BadAnswer, TimedOut, Unavailable
from tests.railway.string_annotations import refund

OrderError: TypeAlias = NotFound | Conflict | UpstreamFault | Aggregate


async def read_deadline() -> Result[float | None, Failure]:
    return Ok(current_context().deadline)


@railway
async def current_deadline(run: Run[Failure]) -> float | None:
    (deadline,) = await run.stage("deadline", Call("read deadline", read_deadline))
    return deadline


async def test_pipeline_has_no_deadline_by_default() -> None:
    assert await current_deadline() == Ok(None)


async def test_pipeline_on_sets_context_of_run() -> None:
    assert await current_deadline.on(RunContext(deadline=5))() == Ok(5)


async def test_pipeline_on_does_not_affect_other_runs() -> None:
    bound = current_deadline.on(RunContext(deadline=5))

    assert await bound() == Ok(5)
    assert await current_deadline() == Ok(None)
    assert current_context() == RunContext()


async def test_nested_pipeline_inherits_context() -> None:
    @railway
    async def outer(run: Run[Failure]) -> float | None:
        return run.unwrap(await current_deadline())

    assert await outer.on(RunContext(deadline=5))() == Ok(5)


async def test_nested_pipeline_can_have_own_context() -> None:
    @railway
    async def outer(run: Run[Failure]) -> tuple[float | None, float | None]:
        return run.unwrap(await current_deadline.on(RunContext(deadline=1))()), run.unwrap(
            await current_deadline()
        )

    assert await outer.on(RunContext(deadline=5))() == Ok((1, 5))


@railway
async def buggy(_run: Run[Gone]) -> None:
    raise ZeroDivisionError


async def test_bug_in_pipeline_restores_context() -> None:
    with pytest.raises(ZeroDivisionError):
        await buggy.on(RunContext(deadline=5))()

    assert current_context().deadline is None


async def test_concurrent_runs_have_separate_contexts() -> None:
    requests = [current_deadline.on(RunContext(deadline=n))() for n in range(3)]

    assert await asyncio.gather(*requests) == [Ok(0), Ok(1), Ok(2)]


async def test_pipeline_passes_arguments_to_function() -> None:
    @railway
    async def add(_run: Run[Never], a: int, /, b: int, *, c: int = 0) -> int:
        return a + b + c

    assert await add(1, 2) == Ok(3)
    assert await add(1, b=2, c=3) == Ok(6)


async def test_pipeline_can_return_none() -> None:
    @railway
    async def return_none(_run: Run[Never]) -> None:
        return None

    assert await return_none() == Ok(None)


def test_unawaited_pipeline_does_not_start() -> None:
    started = current_deadline()

    assert inspect.getcoroutinestate(started) == inspect.CORO_CREATED
    started.close()


def test_pipeline_is_named_after_function() -> None:
    assert current_deadline.name == "current_deadline"
    assert current_deadline.on(RunContext()).name == "current_deadline"


def test_pipeline_lists_single_error_of_run() -> None:
    assert buggy.promised == (Gone,)


def test_pipeline_lists_errors_of_run_in_order() -> None:
    @railway
    async def order(_run: Run[OrderError]) -> None: ...

    assert order.promised == (NotFound, Conflict, BadAnswer, Unavailable, TimedOut, Aggregate)


def test_pipeline_errors_resolve_forward_references() -> None:
    assert refund.promised == (NotFound, Gone)


def test_infallible_pipeline_lists_no_errors() -> None:
    @railway
    async def safe(_run: Run[Never]) -> None: ...

    assert safe.promised == ()


async def without_annotation(run: object) -> None: ...


async def without_failures(run: Run[Never]) -> None: ...


async def with_other_type(run: tuple[NotFound, Gone], order: Run[Gone]) -> None: ...


async def without_run() -> None: ...


del without_annotation.__annotations__["run"]
without_failures.__annotations__["run"] = Run


@pytest.mark.parametrize("function", [without_annotation, without_failures, with_other_type, without_run])
def test_pipeline_errors_require_run_annotation(
    function: Callable[..., Awaitable[None]],
) -> None:
    pipeline: Pipeline[..., None, Never] = Pipeline(function)

    with pytest.raises(TypeError, match=f"{pipeline.name} does not declare its failures"):
        _ = pipeline.promised


async def test_pipeline_with_forward_reference_runs() -> None:
    assert await refund(0) == Err(Gone())  # type: ignore[arg-type]
