"""One trip through a pipeline, as the pipeline sees it."""

import asyncio

import pytest

from gateway.railway import Call, Err, Failure, Gone, Missing, NotFound, Ok, Run, railway
from tests.railway.scripted_calls import FINE, MISSING, Answer, World


async def test_a_pipeline_that_returns_comes_to_ok() -> None:
    @railway
    async def seven(run: Run[NotFound]) -> int:
        return run.unwrap(Ok(7))

    assert await seven() == Ok(7)


async def test_failing_leaves_the_run_with_that_error() -> None:
    @railway
    async def gone(run: Run[Gone]) -> int:
        run.fail(Gone("no more"))

    assert await gone() == Err(Gone("no more"))


async def test_taking_a_failure_leaves_the_run_with_it(world: World) -> None:
    @railway
    async def take(run: Run[Failure]) -> int:
        return run.unwrap(await world.call("a", MISSING))

    assert await take() == MISSING


async def test_nothing_runs_after_a_run_was_left(world: World) -> None:
    @railway
    async def left(run: Run[NotFound]) -> None:
        run.unwrap(Err(NotFound()))
        world.log.append("went on")

    await left()

    assert world.log == []


async def test_a_helper_is_given_the_run_and_leaves_it() -> None:
    def demand(run: Run[NotFound], *, it: bool) -> None:
        if not it:
            run.fail(NotFound("nothing"))

    @railway
    async def helped(run: Run[NotFound | Gone]) -> str:
        demand(run, it=True)
        demand(run, it=False)
        return "unreached"

    assert await helped() == Err(NotFound("nothing"))


async def test_leaving_cannot_be_swallowed_by_except_exception() -> None:
    @railway
    async def careless(run: Run[Gone]) -> int:
        try:
            run.fail(Gone())
        except Exception:  # noqa: BLE001 - what it is about
            return 7

    assert await careless() == Err(Gone())


async def test_clean_up_sees_a_leaving_pass(world: World) -> None:
    @railway
    async def careful(run: Run[Gone]) -> None:
        try:
            run.fail(Gone())
        finally:
            world.log.append("closed")

    assert await careful() == Err(Gone())
    assert world.log == ["closed"]


async def test_an_exception_in_a_pipeline_is_a_bug() -> None:
    @railway
    async def buggy(_run: Run[Gone]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await buggy()


def leaving(run: Run[Failure], name: str) -> Call[int, Failure]:
    """Describe a call that leaves *run*, and says which one did."""

    async def leave() -> Answer:
        run.fail(Gone(name))

    return Call(name, leave)


async def test_a_call_of_a_stage_may_leave_the_run(world: World) -> None:
    @railway
    async def inside(run: Run[Failure]) -> object:
        return await run.stage("core", world.hung("slow"), leaving(run, "a"))

    assert await inside() == Err(Gone("a"))
    assert world.log[-1] == "slow cleaned up"


async def test_of_two_calls_that_leave_at_once_the_earliest_argument_is_heard() -> None:
    @railway
    async def both(run: Run[Failure]) -> object:
        return await run.stage("core", leaving(run, "a"), leaving(run, "b"))

    assert await both() == Err(Gone("a"))


async def test_leaving_beats_the_errors_of_the_stage(world: World) -> None:
    @railway
    async def inside(run: Run[Failure]) -> object:
        return await run.stage("core", world.call("a", MISSING), leaving(run, "b"))

    assert await inside() == Err(Gone("b"))


async def test_a_run_carries_what_its_stages_and_results_lack() -> None:
    optional = Call("extra", missing).optional()

    @railway
    async def lacking(run: Run[Failure]) -> object:
        (extra,) = await run.stage("extras", optional)
        run.unwrap(Ok(1, lacks=("cache",)))
        return extra

    expected = Ok(Missing("extra", NotFound("missing")), lacks=("extra", "cache"))
    assert await lacking() == expected


async def missing() -> Answer:
    return MISSING


async def test_a_leaving_of_a_nested_pipeline_stops_at_its_own_run(world: World) -> None:
    @railway
    async def inner(run: Run[NotFound]) -> int:
        run.fail(NotFound("inner"))

    @railway
    async def outer(_run: Run[Gone]) -> str:
        world.log.append(f"{await inner()}")
        return "went on"

    assert await outer() == Ok("went on")
    assert world.log == [f"{Err(NotFound('inner'))}"]


async def test_a_leaving_of_the_outer_run_passes_through_a_nested_pipeline(world: World) -> None:
    @railway
    async def inner(_run: Run[NotFound], outer: Run[Gone]) -> int:
        outer.fail(Gone("outer"))

    @railway
    async def outermost(run: Run[Gone]) -> None:
        await inner(run)
        world.log.append("went on")

    assert await outermost() == Err(Gone("outer"))
    assert world.log == []


async def test_a_nested_pipeline_is_a_call_of_a_stage_like_any_other(world: World) -> None:
    @railway
    async def inner(run: Run[Failure], call: Call[int, Failure]) -> int:
        (value,) = await run.stage("inner", call)
        return value

    @railway
    async def outer(run: Run[Failure]) -> tuple[int, int]:
        return await run.stage(
            "outer",
            Call("left", lambda: inner(world.call("a"))),
            Call("right", lambda: inner(world.call("b", MISSING))),
        )

    assert await outer() == MISSING


async def test_a_run_is_fresh_each_time_and_at_the_same_time(world: World) -> None:
    @railway
    async def once(run: Run[Failure], answer: Answer) -> int:
        (value,) = await run.stage("core", world.call("a", answer, after=1))
        return value

    answers: list[Answer] = [MISSING, FINE, MISSING, FINE]

    assert await asyncio.gather(*(once(answer) for answer in answers)) == answers


async def test_a_run_may_be_left_from_a_task_that_it_waits_for(world: World) -> None:
    @railway
    async def waiting(run: Run[Failure]) -> object:
        return await asyncio.wait_for(run.stage("core", world.call("a", MISSING)), 1)

    assert await waiting() == MISSING
