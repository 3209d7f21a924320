"""Context of a run: read in one place, changed by one function."""

import asyncio
from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest

from gateway.railway import (
    Call,
    CallMode,
    CommitTerms,
    Failure,
    Ok,
    Result,
    Run,
    RunContext,
    ScopeChanges,
    change_context,
    current_context,
    railway,
    time_left,
)

CONTEXT = RunContext(deadline=9, baggage={"traceparent": "00-1"})


async def test_a_block_changes_the_context_and_restores_it() -> None:
    with change_context(CONTEXT):
        with change_context(deadline=5, mode=CallMode.SEND_ONCE):
            changed = current_context()
        restored = current_context()

    assert changed == replace(CONTEXT, deadline=5, mode=CallMode.SEND_ONCE)
    assert restored is CONTEXT
    assert current_context() == RunContext()


async def test_an_exception_restores_the_context() -> None:
    with pytest.raises(ZeroDivisionError), change_context(is_optional=True):
        raise ZeroDivisionError

    assert not current_context().is_optional


async def test_a_change_leaves_its_base_as_it_was() -> None:
    with change_context(CONTEXT, is_in_run=True):
        assert current_context() == replace(CONTEXT, is_in_run=True)

    assert not CONTEXT.is_in_run


async def test_a_change_without_a_block_lasts_until_the_task_ends() -> None:
    async def change() -> None:
        change_context(CONTEXT)
        assert current_context() is CONTEXT

    await asyncio.create_task(change())

    assert current_context() == RunContext()


async def test_an_enclosing_block_takes_back_a_change_without_one() -> None:
    with change_context(CONTEXT):
        change_context(deadline=None)
        inside = current_context().deadline

    assert inside is None
    assert current_context() == RunContext()


def test_the_fields_that_a_scope_changes_are_those_of_the_context() -> None:
    context, changes = get_type_hints(RunContext), get_type_hints(ScopeChanges)

    assert changes == {name: kind for name, kind in context.items() if name in changes}
    assert {field.name for field in fields(RunContext)} > changes.keys() > {"deadline", "mode"}


async def test_without_a_deadline_infinite_time_is_left() -> None:
    assert time_left() == float("inf")


async def test_the_time_left_is_that_until_the_deadline() -> None:
    await asyncio.sleep(2)

    with change_context(deadline=5):
        assert time_left() == 3
    with change_context(deadline=1):
        assert time_left() == -1


async def test_baggage_reaches_every_call() -> None:
    async def look() -> Result[str, Failure]:
        return Ok(current_context().baggage.get("traceparent", "none"))

    @railway
    async def both(run: Run[Failure]) -> tuple[str, str]:
        return await run.stage("core", Call("a", look), Call("b", look))

    assert await both.on(CONTEXT)() == Ok(("00-1", "00-1"))
    assert await both() == Ok(("none", "none"))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", True, None])
@pytest.mark.parametrize("argument", ["reserve", "budget", "undo_budget"])
def test_invalid_commit_terms_are_refused(argument: str, value: Any) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(ValueError, match=f"^{argument} must be a .*number of seconds, got {value!r}$"):
        CommitTerms(**{argument: value})


def test_only_the_reserve_of_a_commit_may_be_zero() -> None:
    assert CommitTerms(reserve=0).reserve == 0
    with pytest.raises(ValueError, match=r"^budget must be a positive, finite number of seconds, got 0$"):
        CommitTerms(budget=0)
    with pytest.raises(
        ValueError, match=r"^undo_budget must be a positive, finite number of seconds, got 0$"
    ):
        CommitTerms(undo_budget=0)
