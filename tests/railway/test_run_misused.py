"""What a pipeline must not do with its run, and is told so."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from gateway.railway import Call, Err, Failure, Gone, Ok, Pipeline, Run, RunMisused, railway
from tests.railway.scripted_calls import FINE, Answer, World

Misuse = Callable[[Run[Failure]], Awaitable[object]]


def take(run: Run[Failure]) -> None:
    run.unwrap(FINE)


def fail(run: Run[Failure]) -> None:
    run.fail(Gone())


BOTH_USES = pytest.mark.parametrize("use", [take, fail])


@pytest.fixture
def caught() -> Misuse:
    async def fail_and_go_on(run: Run[Failure]) -> None:
        with contextlib.suppress(BaseException):
            run.fail(Gone())

    return fail_and_go_on


async def test_a_swallowed_leaving_raises_run_misused(caught: Misuse) -> None:
    with pytest.raises(RunMisused, match="a failure was caught on its way out of this run"):
        await railway(caught)()


async def test_a_swallowed_leaving_raises_at_the_next_stage(caught: Misuse, world: World) -> None:
    @railway
    async def going_on(run: Run[Failure]) -> None:
        await caught(run)
        await run.stage("next", world.call("a"))

    with pytest.raises(RunMisused, match="a failure was caught"):
        await going_on()
    assert world.log == []


@BOTH_USES
async def test_a_swallowed_leaving_raises_at_the_next_use(
    caught: Misuse, use: Callable[[Run[Failure]], object]
) -> None:
    @railway
    async def going_on(run: Run[Failure]) -> None:
        await caught(run)
        with pytest.raises(RunMisused, match="a failure was caught"):
            use(run)

    with pytest.raises(RunMisused):
        await going_on()


async def test_a_leaving_swallowed_by_a_call_raises_when_its_stage_ends(world: World) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        async def swallow() -> Answer:
            with contextlib.suppress(BaseException):
                run.fail(Gone())
            return FINE

        return await run.stage("core", Call("swallow", swallow), world.call("b"))

    with pytest.raises(RunMisused, match="a failure was caught"):
        await pipeline()


async def test_a_leaving_that_an_exception_took_the_place_of_is_a_bug() -> None:
    @railway
    async def clumsy(run: Run[Failure]) -> None:
        try:
            run.fail(Gone())
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await clumsy()


async def escape() -> Run[Failure]:
    @railway
    async def leak(run: Run[Failure]) -> Run[Failure]:
        return run

    match await leak():
        case Ok(run):
            return run
        case Err(error):
            raise AssertionError(error)


@BOTH_USES
async def test_a_run_used_after_its_end_raises_run_misused(use: Callable[[Run[Failure]], object]) -> None:
    run = await escape()

    with pytest.raises(RunMisused, match="this run is over"):
        use(run)


async def test_a_stage_begun_after_the_end_of_its_run_makes_no_call(world: World) -> None:
    run = await escape()

    with pytest.raises(RunMisused, match="this run is over"):
        await run.stage("late", world.call("a"))
    assert world.log == []


async def test_a_stage_begun_while_another_of_the_same_run_is_open_raises_run_misused(world: World) -> None:
    @railway
    async def inside(run: Run[Failure]) -> object:
        async def again() -> Answer:
            (value,) = await run.stage("inner", world.call("b"))
            return Ok(value)

        return await run.stage("outer", world.hung("a"), Call("again", again))

    with pytest.raises(RunMisused, match="'inner' begins while stage 'outer' of the same run is open"):
        await inside()
    assert world.log == ["a started", "a cleaned up"]


async def test_two_stages_of_one_run_at_once_raise_run_misused(world: World) -> None:
    @railway
    async def at_once(run: Run[Failure]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.stage("left", world.hung("a")))
            group.create_task(run.stage("right", world.hung("b")))

    with pytest.raises(ExceptionGroup) as misused:
        await at_once()
    assert misused.group_contains(RunMisused)
    assert world.log == ["a started", "a cleaned up"]


async def test_after_an_open_stage_was_cancelled_the_next_may_begin(world: World) -> None:
    @railway
    async def patient(run: Run[Failure]) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await run.stage("slow", world.hung("a"))
        (value,) = await run.stage("next", world.call("b"))
        return value

    assert await patient() == FINE


async def test_a_run_that_ends_while_a_stage_of_it_is_open_raises_run_misused(world: World) -> None:
    left_behind: list[asyncio.Task[object]] = []

    @railway
    async def hasty(run: Run[Failure]) -> None:
        left_behind.append(asyncio.create_task(run.stage("slow", world.call("a", after=1))))
        await asyncio.sleep(0)

    with pytest.raises(RunMisused, match="the run ended while its stage 'slow' was open"):
        await hasty()
    with pytest.raises(RunMisused, match="over"):
        await left_behind[0]


async def in_a_task(run: Run[Failure]) -> None:
    async def leave() -> None:
        run.fail(Gone())

    async with asyncio.TaskGroup() as group:
        group.create_task(leave())


async def in_the_body(run: Run[Failure]) -> None:
    async with asyncio.TaskGroup():
        run.fail(Gone())


async def in_a_stage(run: Run[Failure]) -> None:
    async def leave() -> Answer:
        await in_a_task(run)
        return FINE

    await run.stage("core", Call("leave", leave), Call("leave", leave))


@pytest.mark.parametrize("leave", [in_a_task, in_the_body, in_a_stage])
async def test_leaving_inside_a_task_group_raises_run_misused(leave: Misuse) -> None:
    with pytest.raises(RunMisused, match="a run was left inside a task group") as misused:
        await railway(leave)()
    assert isinstance(misused.value.__cause__, BaseExceptionGroup)


async def test_leaving_the_outer_run_inside_a_task_group_raises_run_misused() -> None:
    @railway
    async def inner(_run: Run[Gone], outer: Run[Failure]) -> None:
        await in_a_task(outer)

    @railway
    async def outermost(run: Run[Failure]) -> object:
        return await inner(run)

    with pytest.raises(RunMisused, match="a run was left inside a task group"):
        await outermost()


async def test_a_group_of_exceptions_without_a_leaving_passes() -> None:
    @railway
    async def grouped(_run: Run[Gone]) -> None:
        message = "two"
        raise BaseExceptionGroup(message, [KeyError(), ValueError()])

    with pytest.raises(BaseExceptionGroup, match="two"):
        await grouped()


async def test_a_task_group_without_a_leaving_is_allowed_in_a_pipeline(world: World) -> None:
    @railway
    async def grouped(_run: Run[Gone]) -> int:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(world.call("a").make())
        return (await task).value_or(0)

    pipeline: Pipeline[[], int, Gone] = grouped
    assert await pipeline() == Ok(1)
