"""A pipeline as its callers see it."""

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


async def deadline() -> Result[float | None, Failure]:
    return Ok(current_context().deadline)


@railway
async def look(run: Run[Failure]) -> float | None:
    (seen,) = await run.stage("look", Call("look", deadline))
    return seen


async def test_without_surroundings_a_run_has_none() -> None:
    assert await look() == Ok(None)


async def test_on_gives_the_run_its_surroundings() -> None:
    assert await look.on(RunContext(deadline=5))() == Ok(5)


async def test_on_changes_nothing_for_others() -> None:
    bound = look.on(RunContext(deadline=5))

    assert await bound() == Ok(5)
    assert await look() == Ok(None)
    assert current_context() == RunContext()


async def test_a_nested_pipeline_inherits_the_surroundings_of_the_run_it_is_part_of() -> None:
    @railway
    async def outer(run: Run[Failure]) -> float | None:
        return run.unwrap(await look())

    assert await outer.on(RunContext(deadline=5))() == Ok(5)


async def test_a_nested_pipeline_on_surroundings_of_its_own_has_those() -> None:
    @railway
    async def outer(run: Run[Failure]) -> tuple[float | None, float | None]:
        return run.unwrap(await look.on(RunContext(deadline=1))()), run.unwrap(await look())

    assert await outer.on(RunContext(deadline=5))() == Ok((1, 5))


@railway
async def buggy(_run: Run[Gone]) -> None:
    raise ZeroDivisionError


async def test_the_surroundings_are_given_back_after_a_bug() -> None:
    with pytest.raises(ZeroDivisionError):
        await buggy.on(RunContext(deadline=5))()

    assert current_context().deadline is None


async def test_two_requests_have_their_own_surroundings() -> None:
    requests = [look.on(RunContext(deadline=n))() for n in range(3)]

    assert await asyncio.gather(*requests) == [Ok(0), Ok(1), Ok(2)]


async def test_arguments_are_passed_on_by_place_and_by_name() -> None:
    @railway
    async def add(_run: Run[Never], a: int, /, b: int, *, c: int = 0) -> int:
        return a + b + c

    assert await add(1, 2) == Ok(3)
    assert await add(1, b=2, c=3) == Ok(6)


async def test_the_last_value_stands_even_if_it_is_nothing() -> None:
    @railway
    async def nothing(_run: Run[Never]) -> None:
        return None

    assert await nothing() == Ok(None)


def test_calling_a_pipeline_starts_nothing() -> None:
    started = look()

    assert inspect.getcoroutinestate(started) == inspect.CORO_CREATED
    started.close()


def test_a_pipeline_is_called_as_its_function_is() -> None:
    assert look.name == "look"
    assert look.on(RunContext()).name == "look"


def test_a_single_error_is_promised() -> None:
    assert buggy.promised == (Gone,)


def test_a_union_is_promised_in_its_order() -> None:
    @railway
    async def order(_run: Run[OrderError]) -> None: ...

    assert order.promised == (NotFound, Conflict, BadAnswer, Unavailable, TimedOut, Aggregate)


def test_forward_references_are_promised() -> None:
    assert refund.promised == (NotFound, Gone)


def test_a_run_that_cannot_fail_promises_nothing() -> None:
    @railway
    async def safe(_run: Run[Never]) -> None: ...

    assert safe.promised == ()


async def unsaid(run: object) -> None: ...


async def vague(run: Run[Never]) -> None: ...


async def other(run: tuple[NotFound, Gone], order: Run[Gone]) -> None: ...


async def bare() -> None: ...


del unsaid.__annotations__["run"]
vague.__annotations__["run"] = Run


@pytest.mark.parametrize("function", [unsaid, vague, other, bare])
def test_a_pipeline_that_does_not_annotate_its_run_is_a_type_error(
    function: Callable[..., Awaitable[None]],
) -> None:
    pipeline: Pipeline[..., None, Never] = Pipeline(function)

    with pytest.raises(TypeError, match=f"{pipeline.name} does not declare its failures"):
        _ = pipeline.promised


async def test_a_result_that_was_promised_late_is_a_result_like_any_other() -> None:
    assert await refund(0) == Err(Gone())  # type: ignore[arg-type]
