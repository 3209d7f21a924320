"""Observer of a run: the spans that it is notified of."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from typing_extensions import override

from gateway.railway import (
    FAIL_FAST,
    SETTLE,
    Call,
    CallOutcome,
    CallSpan,
    Failure,
    Ok,
    Result,
    Run,
    RunContext,
    StageSpan,
    constant,
    parallel,
    railway,
)
from tests.railway.recording_observer import Ear
from tests.railway.scripted_calls import FINE, MISSING, TAKEN, World, trio


@pytest.fixture
def ear() -> Ear:
    return Ear()


@railway
async def pipeline(run: Run[Failure], body: Callable[[Run[Failure]], Awaitable[object]]) -> object:
    return await body(run)


def heard(ear: Ear, body: Callable[[Run[Failure]], Awaitable[object]]) -> Awaitable[Result[object, Failure]]:
    return pipeline.on(RunContext(observer=ear))(body)


async def test_an_observer_hears_of_stages_and_calls_as_they_start_and_end(ear: Ear, world: World) -> None:
    slow, fast = world.call("slow", after=2), world.call("fast", after=1)

    await heard(ear, lambda run: run.stage("core", slow, fast))

    assert ear.told == ["+core", "+slow", "+fast", "-fast", "-slow", "-core"]


async def test_what_starts_and_what_ends_are_the_same_objects(ear: Ear, world: World) -> None:
    twin = world.call("twin")

    await heard(ear, lambda run: run.stage("core", twin, twin))

    assert ear.stages[0] is ear.stages[1]
    assert [ear.calls.index(call) for call in ear.calls] == [0, 1, 0, 1]


async def test_a_span_knows_its_stage_and_a_stage_its_calls_in_argument_order(ear: Ear, world: World) -> None:
    await heard(ear, lambda run: run.stage("core", world.call("a"), world.call("b")))

    assert [call.name for call in ear.stages[0].calls] == ["a", "b"]
    assert all(call.stage is ear.stages[0] for call in ear.calls)


async def test_a_call_ends_with_its_result(ear: Ear, world: World) -> None:
    await heard(ear, lambda run: run.stage("core", world.call("a"), world.call("b", TAKEN)))

    assert ear.outcomes == {"a": FINE, "b": TAKEN}


async def test_what_is_known_is_not_heard_of_as_a_call(ear: Ear, world: World) -> None:
    await heard(ear, lambda run: run.stage("core", world.call("a"), constant("b", 7).map(str)))

    assert ear.told == ["+core", "+a", "-a", "-core"]


async def test_a_cancelled_call_ends_with_cancelled_error(ear: Ear, world: World) -> None:
    calls = world.call("a", MISSING), world.hung("b")

    await heard(ear, lambda run: run.stage("core", *calls, policy=FAIL_FAST))

    assert isinstance(ear.outcomes["b"], asyncio.CancelledError)
    assert ear.told[-1] == "-core"


async def test_a_bug_ends_its_call_with_the_exception_and_every_call_is_told_to_end(
    ear: Ear, world: World
) -> None:
    bug = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await heard(ear, lambda run: run.stage("core", world.call("a", bug), world.hung("b", cleanup=2)))
    assert ear.outcomes["a"] is bug
    assert ear.told[-2:] == ["-b", "-core"]


async def test_cancelled_from_outside_every_call_and_then_the_stage_end(ear: Ear, world: World) -> None:
    async def request() -> None:
        await heard(ear, lambda run: run.stage("core", world.hung("a", cleanup=2), world.hung("b")))

    task = asyncio.create_task(request())
    await asyncio.sleep(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ear.told[-3:] == ["-b", "-a", "-core"]


async def test_calls_never_made_are_never_told(ear: Ear, world: World) -> None:
    async def two(run: Run[Failure]) -> None:
        await run.stage("first", world.call("a", MISSING))
        await run.stage("second", world.call("b"))

    await heard(ear, two)

    assert ear.told == ["+first", "+a", "-a", "-first"]


async def test_a_call_cancelled_before_its_first_step_is_never_told(ear: Ear, world: World) -> None:
    async def hostile() -> Result[int, Failure]:
        for task in asyncio.all_tasks() - {asyncio.current_task(), host}:
            task.cancel()
        return FINE

    host = asyncio.current_task()

    with pytest.raises(RuntimeError):
        await heard(ear, lambda run: run.stage("core", Call("hostile", hostile), world.call("victim")))
    assert ear.told == ["+core", "+hostile", "-hostile", "-core"]


async def test_a_shaped_call_is_told_once_by_its_leaf(ear: Ear, world: World) -> None:
    shaped = world.call("a", MISSING).map(str).within(9).recover(lambda _: Ok("b")).optional()

    await heard(ear, lambda run: run.stage("core", shaped, world.call("b").tap(print)))

    assert ear.told == ["+core", "+a", "+b", "-a", "-b", "-core"]
    assert ear.outcomes["a"] is MISSING


async def test_calls_that_one_call_goes_on_with_are_told_each(ear: Ear, world: World) -> None:
    chain = world.call("a").bind(lambda _: world.call("b"))

    await heard(ear, lambda run: run.stage("core", chain))

    assert ear.told == ["+core", "+a", "-a", "+b", "-b", "-core"]
    assert all(call.stage is ear.stages[0] for call in ear.calls)


async def test_a_call_awaited_outside_a_stage_has_none(ear: Ear, world: World) -> None:
    async def between(run: Run[Failure]) -> None:
        await run.stage("core", world.call("a"))
        run.unwrap(await world.call("b"))

    await heard(ear, between)

    assert ear.told == ["+core", "+a", "-a", "-core", "+b", "-b"]
    assert ear.calls[-1].stage is None


async def test_calls_in_parallel_are_a_stage_to_an_observer(ear: Ear, world: World) -> None:
    both = parallel(world.call("a"), world.call("b"))

    await heard(ear, lambda _: both.map(max).make())

    assert ear.told == ["+a & b", "+a", "+b", "-a", "-b", "-a & b"]


async def test_a_stage_in_a_call_of_a_stage_is_told_inside_it(ear: Ear, world: World) -> None:
    nested = parallel(world.call("a"), world.call("b"), name="inner").call

    await heard(ear, lambda run: run.stage("outer", nested, world.call("c", after=1)))

    assert ear.told == ["+outer", "+inner", "+c", "+a", "+b", "-a", "-b", "-inner", "-c", "-outer"]
    assert [call.stage.name for call in ear.calls[:3] if call.stage] == ["outer", "inner", "inner"]


async def test_a_nested_pipeline_is_heard_by_the_observer_of_the_run_it_is_part_of(
    ear: Ear, world: World
) -> None:
    nested = Call("nested", lambda: trio(world.call("a"), world.call("b"), world.call("c")))

    await heard(ear, lambda run: run.stage("outer", nested))

    assert ear.told[:3] == ["+outer", "+nested", "+trio"]
    assert ear.told[-3:] == ["-trio", "-nested", "-outer"]


async def test_two_requests_are_heard_apart(world: World) -> None:
    ears = [Ear(), Ear()]
    requests = [
        heard(ear, lambda run: run.stage("core", world.call("a", after=1), world.call("b"))) for ear in ears
    ]

    await asyncio.gather(*requests)

    assert ears[0].told == ears[1].told == ["+core", "+a", "+b", "-b", "-a", "-core"]


class Deaf(Ear):
    """Breaks when a call ends."""

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        raise ZeroDivisionError


async def test_an_observer_that_raises_breaks_the_run_and_orphans_nothing(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        await heard(Deaf(), lambda run: run.stage("core", world.call("a"), world.hung("b")))

    assert world.log[-1] == "b cleaned up"


async def test_two_spans_of_one_name_are_not_equal() -> None:
    assert CallSpan("a", None) != CallSpan("a", None)
    assert StageSpan("a", (), SETTLE) != StageSpan("a", (), SETTLE)
