"""An exception in a call is a bug: nothing is orphaned, and it is told which bug it was."""

import asyncio
import traceback
from itertools import permutations

import pytest

from gateway.railway import FAIL_FAST, SETTLE, Call, Failure, NotFound, Policy, Run, railway
from tests.railway.scripted_calls import FOREVER, MISSING, ORDERS, Answer, World, cancellations, now, trio

BOTH = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])


class Shutdown(BaseException):
    """No `Exception`, and no leaving of a run either."""


@BOTH
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_an_exception_in_a_call_cancels_its_siblings_and_propagates(
    world: World, policy: Policy, place: int
) -> None:
    calls = [world.hung("a"), world.hung("b")]
    calls.insert(place, world.call("bug", ZeroDivisionError()))

    with pytest.raises(ZeroDivisionError):
        await trio(*calls, policy=policy)
    assert sorted(world.log[-2:]) == ["a cleaned up", "b cleaned up"]
    assert now() == 0


async def test_the_siblings_of_a_bug_have_finished_cleaning_up_before_it_propagates(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        await trio(
            world.hung("a", cleanup=2), world.call("bug", ZeroDivisionError()), world.hung("c", cleanup=3)
        )

    assert world.log[-2:] == ["a cleaned up", "c cleaned up"]
    assert now() == 3


async def sore(error: Exception, cleanup: float) -> Answer:
    """Fail while being cancelled."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(cleanup)
        raise error


@pytest.mark.parametrize(("first", "last"), [(1.0, 2.0), (2.0, 1.0)])
async def test_of_two_bugs_the_one_of_the_earliest_argument_propagates(
    world: World, first: float, last: float
) -> None:
    a = Call("a", lambda: sore(KeyError("a"), first))
    c = Call("c", lambda: sore(ValueError("c"), last))

    with pytest.raises(KeyError):
        await trio(a, world.call("bug", ZeroDivisionError()), c)


async def test_the_other_bugs_of_the_stage_are_notes_on_the_first(world: World) -> None:
    c = Call("c", lambda: sore(ValueError("a second one"), 0))

    with pytest.raises(KeyError) as caught:
        await trio(world.call("a", KeyError("first")), world.call("b", ZeroDivisionError()), c)
    first, second = caught.value.__notes__
    assert first.startswith("also in this stage: Traceback")
    assert first.rstrip().endswith("ZeroDivisionError")
    assert second.rstrip().endswith("ValueError: a second one")


async def test_a_bug_that_two_calls_share_is_told_once(world: World) -> None:
    shared = ConnectionError("the one connection both calls wait for")

    with pytest.raises(ConnectionError) as caught:
        await trio(world.call("a", shared), world.call("b", shared), world.call("c"))
    assert "also in this stage" not in "".join(traceback.format_exception(caught.value))


@BOTH
@pytest.mark.parametrize("delays", ORDERS)
async def test_a_bug_beats_the_errors_that_came_before_it(
    world: World, policy: Policy, delays: tuple[float, float, float]
) -> None:
    a, _, c = delays
    bug = world.call("bug", ZeroDivisionError(), after=a)

    with pytest.raises(ZeroDivisionError):
        await trio(bug, world.call("b", MISSING, after=4), world.call("c", MISSING, after=c), policy=policy)


async def leave_after(run: Run[NotFound], seconds: float) -> Answer:
    await asyncio.sleep(seconds)
    run.fail(NotFound("left"))


@pytest.mark.parametrize("bug", [ZeroDivisionError, Shutdown])
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_a_bug_beats_the_leavings_of_its_siblings(
    world: World, bug: type[BaseException], order: tuple[int, int, int]
) -> None:
    @railway
    async def leaving(run: Run[Failure]) -> object:
        calls = [
            Call("leaving", lambda: leave_after(run, 0)),
            world.call("bug", bug()),
            world.hung("slow"),
        ]
        a, b, c = (calls[n] for n in order)
        return await run.stage("core", a, b, c)

    with pytest.raises(bug):
        await leaving()


@BOTH
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_an_exception_that_is_no_exception_class_is_a_bug_too(
    world: World, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [world.call("bug", Shutdown()), world.hung("a"), world.call("b", MISSING)]

    with pytest.raises(Shutdown):
        await trio(*(calls[n] for n in order), policy=policy)


@BOTH
@pytest.mark.parametrize("order", [*permutations(range(3))])
async def test_a_cancellation_nobody_asked_for_is_a_bug(
    world: World, policy: Policy, order: tuple[int, int, int]
) -> None:
    calls = [world.call("stray", asyncio.CancelledError()), world.hung("a"), world.hung("b")]

    with pytest.raises(RuntimeError, match=r"^stray was cancelled by other code$"):
        await trio(*(calls[n] for n in order), policy=policy)
    assert now() == 0


async def test_a_call_that_a_sibling_cancels_before_its_first_step_does_not_hang_the_stage(
    world: World,
) -> None:
    async def hostile() -> Answer:
        for task in asyncio.all_tasks() - {asyncio.current_task(), host}:
            task.cancel()
        return MISSING

    host = asyncio.current_task()

    with pytest.raises(RuntimeError, match="was cancelled by other code"):
        await trio(Call("hostile", hostile), world.hung("victim"), world.hung("victim"))


async def test_a_call_that_raises_before_it_waits_is_a_bug_like_any_other(world: World) -> None:
    async def at_once() -> Answer:
        raise LookupError

    with pytest.raises(LookupError):
        await trio(Call("bug", at_once), world.hung("b"), world.hung("c"))


async def test_after_a_bug_its_task_carries_no_cancellation(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        await trio(world.call("bug", ZeroDivisionError()), world.hung("b"), world.hung("c"))

    assert cancellations() == 0
    assert now() < FOREVER


async def test_a_later_stage_does_not_run_after_a_bug(world: World) -> None:
    @railway
    async def two(run: Run[Failure]) -> None:
        await run.stage("first", world.call("bug", ZeroDivisionError()))
        await run.stage("second", world.call("later"))

    with pytest.raises(ZeroDivisionError):
        await two()
    assert "later started" not in world.log
