"""Run of a pipeline: failures that end it, missing values of optional calls, and nested runs."""

import asyncio

import pytest

from gateway.railway import Call, Err, Failure, Gone, Missing, NotFound, Ok, Run, railway
from tests.railway.scripted_calls import FINE, MISSING, Answer, Services


async def test_pipeline_that_returns_succeeds() -> None:
    @railway
    async def seven(run: Run[NotFound]) -> int:
        return run.unwrap(Ok(7))

    assert await seven() == Ok(7)


async def test_run_fail_ends_pipeline_with_error() -> None:
    @railway
    async def fail_run(run: Run[Gone]) -> int:
        run.fail(Gone("no more"))

    assert await fail_run() == Err(Gone("no more"))


async def test_unwrapping_failure_ends_run(services: Services) -> None:
    @railway
    async def unwrap_failure(run: Run[Failure]) -> int:
        return run.unwrap(await services.call("a", MISSING))

    assert await unwrap_failure() == MISSING


async def test_nothing_runs_after_unwrapped_failure(services: Services) -> None:
    @railway
    async def exit_run(run: Run[NotFound]) -> None:
        run.unwrap(Err(NotFound()))
        services.log.append("continued")

    await exit_run()

    assert services.log == []


async def test_helper_function_can_fail_run() -> None:
    def require(run: Run[NotFound], *, condition: bool) -> None:
        if not condition:
            run.fail(NotFound("nothing"))

    @railway
    async def call_helper(run: Run[NotFound | Gone]) -> str:
        require(run, condition=True)
        require(run, condition=False)
        return "unreached"

    assert await call_helper() == Err(NotFound("nothing"))


async def test_except_exception_does_not_catch_run_fail() -> None:
    @railway
    async def catch_exception(run: Run[Gone]) -> int:
        try:
            run.fail(Gone())
        except Exception:  # noqa: BLE001 - the subject of the test
            return 7

    assert await catch_exception() == Err(Gone())


async def test_finally_block_runs_after_run_fail(services: Services) -> None:
    @railway
    async def clean_up(run: Run[Gone]) -> None:
        try:
            run.fail(Gone())
        finally:
            services.log.append("closed")

    assert await clean_up() == Err(Gone())
    assert services.log == ["closed"]


async def test_exception_in_pipeline_propagates() -> None:
    @railway
    async def buggy(_run: Run[Gone]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await buggy()


def build_exiting_call(run: Run[Failure], name: str) -> Call[int, Failure]:
    """Build a call that ends *run* with a failure whose detail is *name*."""

    async def exit_run() -> Answer:
        run.fail(Gone(name))

    return Call(name, exit_run)


async def test_call_in_stage_can_fail_run(services: Services) -> None:
    @railway
    async def inside(run: Run[Failure]) -> object:
        return await run.stage("core", services.hang("slow"), build_exiting_call(run, "a"))

    assert await inside() == Err(Gone("a"))
    assert services.log[-1] == "slow cleaned up"


async def test_first_argument_wins_if_two_calls_fail_run() -> None:
    @railway
    async def both(run: Run[Failure]) -> object:
        return await run.stage("core", build_exiting_call(run, "a"), build_exiting_call(run, "b"))

    assert await both() == Err(Gone("a"))


async def test_run_fail_in_call_outranks_failed_call(services: Services) -> None:
    @railway
    async def inside(run: Run[Failure]) -> object:
        return await run.stage("core", services.call("a", MISSING), build_exiting_call(run, "b"))

    assert await inside() == Err(Gone("b"))


async def test_run_lists_missing_calls_of_stages_and_results() -> None:
    optional = Call("extra", return_missing).optional()

    @railway
    async def collect_lacks(run: Run[Failure]) -> object:
        (extra,) = await run.stage("extras", optional)
        run.unwrap(Ok(1, lacks=("cache",)))
        return extra

    expected = Ok(Missing("extra", NotFound("missing")), lacks=("extra", "cache"))
    assert await collect_lacks() == expected


async def return_missing() -> Answer:
    return MISSING


async def test_failure_of_nested_pipeline_does_not_end_outer_run(services: Services) -> None:
    @railway
    async def inner(run: Run[NotFound]) -> int:
        run.fail(NotFound("inner"))

    @railway
    async def outer(_run: Run[Gone]) -> str:
        services.log.append(f"{await inner()}")
        return "continued"

    assert await outer() == Ok("continued")
    assert services.log == [f"{Err(NotFound('inner'))}"]


async def test_failure_of_outer_run_ends_nested_pipeline_too(services: Services) -> None:
    @railway
    async def inner(_run: Run[NotFound], outer: Run[Gone]) -> int:
        outer.fail(Gone("outer"))

    @railway
    async def outermost(run: Run[Gone]) -> None:
        await inner(run)
        services.log.append("continued")

    assert await outermost() == Err(Gone("outer"))
    assert services.log == []


async def test_nested_pipeline_can_be_call_in_stage(services: Services) -> None:
    @railway
    async def inner(run: Run[Failure], call: Call[int, Failure]) -> int:
        (value,) = await run.stage("inner", call)
        return value

    @railway
    async def outer(run: Run[Failure]) -> tuple[int, int]:
        return await run.stage(
            "outer",
            Call("left", lambda: inner(services.call("a"))),
            Call("right", lambda: inner(services.call("b", MISSING))),
        )

    assert await outer() == MISSING


async def test_concurrent_runs_are_independent(services: Services) -> None:
    @railway
    async def single_stage(run: Run[Failure], answer: Answer) -> int:
        (value,) = await run.stage("core", services.call("a", answer, after=1))
        return value

    answers: list[Answer] = [MISSING, FINE, MISSING, FINE]

    assert await asyncio.gather(*(single_stage(answer) for answer in answers)) == answers


async def test_failed_stage_in_awaited_task_ends_run(services: Services) -> None:
    @railway
    async def wait_for_stage(run: Run[Failure]) -> object:
        return await asyncio.wait_for(run.stage("core", services.call("a", MISSING)), 1)

    assert await wait_for_stage() == MISSING
