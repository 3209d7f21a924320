"""Timer wheel: limits of blocks, and every race of a limit with the end of its block."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Err, Failure, Result, TimedOut
from gateway.resilience.timer_wheel import TimeLimitError, TimerWheel
from tests.clock import AutojumpLoop
from tests.resilience.scripted_upstream import HANGS, Service, build_client, fetch, now

Outcome: TypeAlias = str
Action: TypeAlias = Callable[[asyncio.Task[Outcome], asyncio.Future[None]], object]


@pytest.fixture
async def wheel() -> TimerWheel:
    return TimerWheel(asyncio.get_running_loop())


async def wait(wheel: TimerWheel, limit: float, duration: float) -> Outcome:
    """Wait for *duration*, within *limit*."""
    try:
        with wheel.limit(limit):
            await asyncio.sleep(duration)
    except TimeLimitError:
        return "late"
    return "done"


@pytest.mark.parametrize(
    ("limit", "end"), [(1.0, 1.0), (0.3, 0.3), (0.7, 0.7), (0.001, 0.005), (0.0, 0.0), (1.0001, 1.005)]
)
async def test_limit_ends_block_at_the_end_of_its_slot(wheel: TimerWheel, limit: float, end: float) -> None:
    assert await wait(wheel, limit, 9) == "late"
    assert now() == pytest.approx(end)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=20)
)
async def test_limits_end_like_timeouts_of_asyncio(blocks: Sequence[tuple[int, int, int]]) -> None:
    """The blocks start, end and are late at different times, which are no ends of slots."""
    wheel = TimerWheel(asyncio.get_running_loop())

    async def run(start: int, limit: int, duration: int) -> Outcome:
        await asyncio.sleep(start / 100)
        return await wait(wheel, limit / 100 + 0.002, duration / 100)

    outcomes = await asyncio.gather(*(run(*block) for block in blocks))

    assert outcomes == ["late" if duration > limit else "done" for _, limit, duration in blocks]


async def test_earlier_limit_ends_before_later_one(wheel: TimerWheel) -> None:
    ends: list[float] = []

    async def run(limit: float) -> None:
        await wait(wheel, limit, 9)
        ends.append(now())

    await asyncio.gather(run(2.0), run(1.0), run(1.0), run(3.0))

    assert ends == [1.0, 1.0, 2.0, 3.0]


async def test_finished_block_leaves_the_wheel_at_once(wheel: TimerWheel) -> None:
    tasks = [asyncio.create_task(wait(wheel, 9.0, duration)) for duration in (0.0, 0.0, 1.0)]
    references = [ref(task) for task in tasks]
    await asyncio.wait(tasks)
    del tasks
    await asyncio.sleep(0)

    assert [reference() for reference in references] == [None] * 3


async def test_block_without_limit_left_is_not_cancelled(wheel: TimerWheel) -> None:
    assert await wait(wheel, 1.0, 0.5) == "done"
    await asyncio.sleep(9)

    assert now() == 9.5


async def test_limit_of_nested_block_leaves_the_outer_one(wheel: TimerWheel) -> None:
    async def run() -> Outcome:
        with wheel.limit(2.0):
            inner = await wait(wheel, 1.0, 9)
            await asyncio.sleep(9)
        return inner

    with pytest.raises(TimeLimitError):
        await run()
    assert now() == 2.0


async def test_limit_outside_a_task_is_refused(wheel: TimerWheel) -> None:
    errors: list[str] = []

    def limit() -> None:
        try:
            wheel.limit(1.0)
        except RuntimeError as error:
            errors.append(str(error))

    asyncio.get_running_loop().call_soon(limit)
    await asyncio.sleep(0)

    assert errors == ["a time limit needs a task"]


async def end_with(wheel: TimerWheel, *actions: Action) -> asyncio.Task[Outcome]:
    """Run a block whose limit of 1 s ends in the same turn as *actions*, after the first of them."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    async def run() -> Outcome:
        try:
            with wheel.limit(1.0):
                await future
        except TimeLimitError:
            return "late"
        return "done"

    task = loop.create_task(run())
    for action in actions[:1]:
        loop.call_at(1.0, action, task, future)
    await asyncio.sleep(0)
    for action in actions[1:]:
        loop.call_at(1.0, action, task, future)
    with suppress(asyncio.CancelledError):
        await task
    return task


def cancel(task: asyncio.Task[Outcome], _: asyncio.Future[None]) -> None:
    task.cancel()


def answer(_: asyncio.Task[Outcome], future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def do_nothing(_: asyncio.Task[Outcome], __: asyncio.Future[None]) -> None:
    pass


@pytest.mark.parametrize("actions", [(cancel,), (do_nothing, cancel)], ids=["before", "after"])
async def test_cancellation_at_the_end_of_the_limit_is_not_lost(
    wheel: TimerWheel, actions: Sequence[Action]
) -> None:
    task = await end_with(wheel, *actions)

    assert (now(), task.cancelled(), task.cancelling()) == (1.0, True, 1)


@pytest.mark.parametrize("actions", [(answer,), (do_nothing, answer)], ids=["before", "after"])
async def test_answer_at_the_end_of_the_limit_is_in_time(
    wheel: TimerWheel, actions: Sequence[Action]
) -> None:
    """The task has not run since the answer: with `asyncio.timeout` it would be late."""
    task = await end_with(wheel, *actions)

    assert (task.result(), task.cancelling()) == ("done", 0)


async def test_cancellation_before_the_limit_is_no_lateness(wheel: TimerWheel) -> None:
    task = asyncio.create_task(wait(wheel, 1.0, 9))
    await asyncio.sleep(0.5)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert (now(), task.cancelling()) == (0.5, 1)


async def test_limit_ends_in_task_that_has_survived_a_cancellation(wheel: TimerWheel) -> None:
    async def run() -> Outcome:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(9)
        return await wait(wheel, 1.0, 9)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()

    assert await task == "late"
    assert task.cancelling() == 1


async def test_block_that_ignores_its_limit_goes_on(wheel: TimerWheel) -> None:
    async def run() -> Outcome:
        with wheel.limit(1.0):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(9)
            await asyncio.sleep(1)
        return "done"

    task = asyncio.create_task(run())

    assert await task == "done"
    assert (now(), task.cancelling()) == (2.0, 0)


async def test_exception_of_ended_block_is_raised(wheel: TimerWheel) -> None:
    async def run() -> None:
        with wheel.limit(1.0):
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                raise KeyError from None

    task = asyncio.create_task(run())

    with pytest.raises(KeyError):
        await task
    assert task.cancelling() == 0


def test_client_times_out_in_several_loops() -> None:
    """Each loop has a wheel of its own, also if it is closed while a call waits."""
    things = build_client(Service(HANGS), timeout=0.1)

    abandoned: list[object] = []

    async def call() -> Result[object, Failure]:
        abandoned.append(asyncio.create_task(fetch(things).make()))
        return await fetch(things)

    for _ in range(3):
        with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
            result = runner.run(call())

        assert isinstance(result, Err)
        assert isinstance(result.error, TimedOut)
