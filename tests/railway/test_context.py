"""Context of a run, and `change_context`, the only function that changes it."""

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


async def test_with_block_changes_and_restores_context() -> None:
    with change_context(CONTEXT):
        with change_context(deadline=5, mode=CallMode.SEND_ONCE):
            changed = current_context()
        restored = current_context()

    assert changed == replace(CONTEXT, deadline=5, mode=CallMode.SEND_ONCE)
    assert restored is CONTEXT
    assert current_context() == RunContext()


async def test_exception_in_with_block_restores_context() -> None:
    with pytest.raises(ZeroDivisionError), change_context(is_optional=True):
        raise ZeroDivisionError

    assert not current_context().is_optional


async def test_change_context_does_not_modify_base() -> None:
    with change_context(CONTEXT, is_optional=True):
        assert current_context() == replace(CONTEXT, is_optional=True)

    assert not CONTEXT.is_optional


async def test_context_change_without_with_block_ends_with_task() -> None:
    async def change() -> None:
        change_context(CONTEXT)
        assert current_context() is CONTEXT

    await asyncio.create_task(change())

    assert current_context() == RunContext()


async def test_enclosing_with_block_reverts_context_change() -> None:
    with change_context(CONTEXT):
        change_context(deadline=None)
        inside = current_context().deadline

    assert inside is None
    assert current_context() == RunContext()


def test_scope_changes_have_types_of_context_fields() -> None:
    context, changes = get_type_hints(RunContext), get_type_hints(ScopeChanges)

    assert changes == {name: kind for name, kind in context.items() if name in changes}
    assert {field.name for field in fields(RunContext)} > changes.keys() > {"deadline", "mode"}


async def test_time_left_is_infinite_without_deadline() -> None:
    assert time_left() == float("inf")


async def test_time_left_is_time_until_deadline() -> None:
    await asyncio.sleep(2)

    with change_context(deadline=5):
        assert time_left() == 3
    with change_context(deadline=1):
        assert time_left() == -1


async def test_baggage_reaches_every_call() -> None:
    async def read_baggage() -> Result[str, Failure]:
        return Ok(current_context().baggage.get("traceparent", "none"))

    @railway
    async def two_calls(run: Run[Failure]) -> tuple[str, str]:
        return await run.stage("core", Call("a", read_baggage), Call("b", read_baggage))

    assert await two_calls.on(CONTEXT)() == Ok(("00-1", "00-1"))
    assert await two_calls() == Ok(("none", "none"))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", True, None])
@pytest.mark.parametrize("argument", ["reserve", "budget", "undo_budget"])
def test_invalid_commit_terms_are_rejected(argument: str, value: Any) -> None:  # noqa: ANN401 - of any type
    with pytest.raises(ValueError, match=f"^{argument} must be a .*number of seconds, got {value!r}$"):
        CommitTerms(**{argument: value})


def test_commit_terms_except_reserve_must_be_positive() -> None:
    assert CommitTerms(reserve=0).reserve == 0
    with pytest.raises(ValueError, match=r"^budget must be a positive, finite number of seconds, got 0$"):
        CommitTerms(budget=0)
    with pytest.raises(
        ValueError, match=r"^undo_budget must be a positive, finite number of seconds, got 0$"
    ):
        CommitTerms(undo_budget=0)
