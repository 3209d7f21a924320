"""Misuse of a run, which raises `RunMisused`."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable

import pytest

from gateway.railway import Call, Err, Failure, Gone, Ok, Pipeline, Run, RunMisused, railway
from tests.railway.scripted_calls import FINE, Answer, Services

Misuse = Callable[[Run[Failure]], Awaitable[object]]


def unwrap(run: Run[Failure]) -> None:
    run.unwrap(FINE)


def fail(run: Run[Failure]) -> None:
    run.fail(Gone())


async def fine() -> Answer:
    return FINE


BOTH_USES = pytest.mark.parametrize("use", [unwrap, fail])


@pytest.fixture
def catch_exit() -> Misuse:
    async def fail_and_continue(run: Run[Failure]) -> None:
        with contextlib.suppress(BaseException):
            run.fail(Gone())

    return fail_and_continue


async def test_catching_run_fail_raises_run_misused(catch_exit: Misuse) -> None:
    with pytest.raises(RunMisused, match="a failure was caught on its way out of this run"):
        await railway(catch_exit)()


async def test_stage_after_caught_run_fail_raises_run_misused(catch_exit: Misuse, services: Services) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> None:
        await catch_exit(run)
        await run.stage("next", services.call("a"))

    with pytest.raises(RunMisused, match="this run has failed, and makes no more stages"):
        await pipeline()
    assert services.log == []


@BOTH_USES
async def test_use_after_caught_run_fail_raises_run_misused(
    catch_exit: Misuse, use: Callable[[Run[Failure]], object]
) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> None:
        await catch_exit(run)
        with pytest.raises(RunMisused, match="this run has failed"):
            use(run)

    with pytest.raises(RunMisused):
        await pipeline()


async def test_run_fail_caught_by_call_raises_after_stage(services: Services) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        async def catch_exit() -> Answer:
            with contextlib.suppress(BaseException):
                run.fail(Gone())
            return FINE

        return await run.stage("core", Call("catch", catch_exit), services.call("b"))

    with pytest.raises(RunMisused, match="this run has failed"):
        await pipeline()


async def test_exception_raised_during_run_fail_propagates() -> None:
    @railway
    async def replace_exit(run: Run[Failure]) -> None:
        try:
            run.fail(Gone())
        finally:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await replace_exit()


async def leak_run() -> Run[Failure]:
    @railway
    async def leak(run: Run[Failure]) -> Run[Failure]:
        return run

    match await leak():
        case Ok(run):
            return run
        case Err(error):
            raise AssertionError(error)


@BOTH_USES
async def test_using_finished_run_raises_run_misused(use: Callable[[Run[Failure]], object]) -> None:
    run = await leak_run()

    with pytest.raises(RunMisused, match="this run is over"):
        use(run)


async def test_stage_of_finished_run_makes_no_call(services: Services) -> None:
    run = await leak_run()

    with pytest.raises(RunMisused, match="this run is over"):
        await run.stage("late", services.call("a"))
    assert services.log == []


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ([Call("a", fine)], "a list, which is not a call: use `each` for a list of calls"),
        ((Call("a", fine) for _ in range(2)), "a generator, which is not a call: use `each` for a list of"),
        (FINE, "a result: pass the call itself, without awaiting it"),
        (fine, "a function, which is not a call"),
        (None, "a NoneType, which is not a call"),
    ],
)
async def test_stage_refuses_argument_that_is_no_call(
    services: Services, argument: Call[int, Failure], message: str
) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.stage("core", services.call("a"), argument)

    with pytest.raises(RunMisused, match=f"^stage 'core' was given {message}"):
        await pipeline()
    assert services.log == []


async def test_stage_refuses_coroutine_and_closes_it(services: Services) -> None:
    coroutine = services.call("a").make()

    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.stage("core", coroutine)  # type: ignore[misc]

    with pytest.raises(RunMisused, match=r"^stage 'core' was given a coroutine, which is not a call$"):
        await pipeline()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


async def test_each_refuses_item_that_is_no_call() -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.each("core", [fine])  # type: ignore[arg-type]

    with pytest.raises(RunMisused, match=r"^stage 'core' was given a function, which is not a call$"):
        await pipeline()


async def test_stage_refuses_call_as_its_name(services: Services) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.stage(services.call("a"), services.call("b"))  # type: ignore[misc]

    with pytest.raises(
        RunMisused, match=r"^the first argument of a stage or a commit is its name, not a Call"
    ):
        await pipeline()


async def test_nested_stage_of_same_run_raises(services: Services) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        async def make_inner_stage() -> Answer:
            (value,) = await run.stage("inner", services.call("b"))
            return Ok(value)

        return await run.stage("outer", services.hang("a"), Call("nested", make_inner_stage))

    with pytest.raises(RunMisused, match="'inner' begins while stage 'outer' of the same run is open"):
        await outer()
    assert services.log == ["a started", "a cleaned up"]


async def test_concurrent_stages_of_same_run_raise(services: Services) -> None:
    @railway
    async def run_concurrent_stages(run: Run[Failure]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.stage("left", services.hang("a")))
            group.create_task(run.stage("right", services.hang("b")))

    with pytest.raises(ExceptionGroup) as caught:
        await run_concurrent_stages()
    assert caught.group_contains(RunMisused)
    assert services.log == ["a started", "a cleaned up"]


async def test_next_stage_may_follow_cancelled_stage(services: Services) -> None:
    @railway
    async def time_out_stage(run: Run[Failure]) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await run.stage("slow", services.hang("a"))
        (value,) = await run.stage("next", services.call("b"))
        return value

    assert await time_out_stage() == FINE


async def test_run_ending_with_open_stage_raises(services: Services) -> None:
    left_open: list[asyncio.Task[object]] = []

    @railway
    async def end_early(run: Run[Failure]) -> None:
        left_open.append(asyncio.create_task(run.stage("slow", services.call("a", after=1))))
        await asyncio.sleep(0)

    with pytest.raises(RunMisused, match="the run ended while its stage 'slow' was open"):
        await end_early()
    with pytest.raises(RunMisused, match="over"):
        await left_open[0]


async def exit_in_task(run: Run[Failure]) -> None:
    async def exit_run() -> None:
        run.fail(Gone())

    async with asyncio.TaskGroup() as group:
        group.create_task(exit_run())


async def exit_in_task_group(run: Run[Failure]) -> None:
    async with asyncio.TaskGroup():
        run.fail(Gone())


async def exit_in_stage(run: Run[Failure]) -> None:
    async def exit_run() -> Answer:
        await exit_in_task(run)
        return FINE

    await run.stage("core", Call("exit", exit_run), Call("exit", exit_run))


@pytest.mark.parametrize("misuse", [exit_in_task, exit_in_task_group, exit_in_stage])
async def test_run_fail_inside_task_group_raises_run_misused(misuse: Misuse) -> None:
    with pytest.raises(RunMisused, match="the run failed inside a task group") as caught:
        await railway(misuse)()
    assert isinstance(caught.value.__cause__, BaseExceptionGroup)


async def test_outer_run_fail_inside_task_group_raises() -> None:
    @railway
    async def inner(_run: Run[Gone], outer: Run[Failure]) -> None:
        await exit_in_task(outer)

    @railway
    async def outermost(run: Run[Failure]) -> object:
        return await inner(run)

    with pytest.raises(RunMisused, match="the run failed inside a task group"):
        await outermost()


async def test_exception_group_of_other_errors_propagates() -> None:
    """The group contains no `RunExit`."""

    @railway
    async def raise_group(_run: Run[Gone]) -> None:
        message = "two"
        raise BaseExceptionGroup(message, [KeyError(), ValueError()])

    with pytest.raises(BaseExceptionGroup, match="two"):
        await raise_group()


async def test_task_group_is_allowed_in_pipeline(services: Services) -> None:
    @railway
    async def use_task_group(_run: Run[Gone]) -> int:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(services.call("a").make())
        return (await task).value_or(0)

    pipeline: Pipeline[[], int, Gone] = use_task_group
    assert await pipeline() == Ok(1)
