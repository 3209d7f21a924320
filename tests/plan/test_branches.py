"""Pipelines whose dry run may miss a stage."""

from collections.abc import Sequence

import pytest

from gateway.pipelines import PIPELINES
from gateway.plan.branches import has_branches
from gateway.railway import Call, Conflict, Failure, Pipeline, Run

Read = Call[int, Failure]


async def two_stages(run: Run[Failure], a: Read, b: Read) -> int:
    (first,) = await run.stage("first", a)
    (second,) = await run.stage("second", b)
    return first + second


async def fail_on_rule(run: Run[Failure], a: Read) -> int:
    (first,) = await run.stage("first", a)
    if first < 0:
        run.fail(Conflict(f"{first} is negative"))
    return first or 1


async def skip_stage(run: Run[Failure], a: Read, b: Read) -> int:
    (first,) = await run.stage("first", a)
    if first:
        (first,) = await run.stage("second", b)
    return first


async def return_early(run: Run[Failure], a: Read, b: Read) -> int:
    (first,) = await run.stage("first", a)
    if first:
        return first
    (second,) = await run.stage("second", b)
    return second


async def choose_call(run: Run[Failure], a: Read, b: Read) -> tuple[int, ...]:
    return await run.stage("first", a.map(abs) if a.name else b.map(abs))


async def add_call(run: Run[Failure], a: Read, b: Read) -> tuple[int, ...]:
    calls = [a]
    if a.name:
        calls.append(b)
    return await run.stage("first", *calls)


async def match_result(run: Run[Failure], a: Read, b: Read) -> int:
    match run.unwrap(await a):
        case 0:
            return run.unwrap(await b)
        case other:
            return other


async def loop(run: Run[Failure], calls: Sequence[Read]) -> int:
    total = 0
    for call in calls:
        total += run.unwrap(await call)
    return total


async def pass_run_on(run: Run[Failure], a: Read) -> int:
    return await two_stages(run, a, a)


async def pass_run_by_name(run: Run[Failure], a: Read) -> int:
    return await two_stages(a=a, b=a, run=run)


@pytest.mark.parametrize("function", [two_stages, fail_on_rule])
def test_function_without_choice_has_no_branches(function: object) -> None:
    assert callable(function)
    assert not has_branches(function)


@pytest.mark.parametrize(
    "function",
    [skip_stage, return_early, choose_call, add_call, match_result, loop, pass_run_on, pass_run_by_name],
)
def test_function_with_choice_has_branches(function: object) -> None:
    assert callable(function)
    assert has_branches(function)


@pytest.mark.parametrize("pipeline", [route.pipeline for route in PIPELINES], ids=lambda it: it.name)
def test_shipped_pipelines_have_no_branches(pipeline: Pipeline[..., object, Failure]) -> None:
    assert not has_branches(pipeline.function)


def test_function_without_source_counts_as_branching() -> None:
    namespace: dict[str, object] = {}
    exec("async def hidden(run): return 1", namespace)  # noqa: S102 - our own
    hidden = namespace["hidden"]

    assert callable(hidden)
    assert has_branches(hidden)
