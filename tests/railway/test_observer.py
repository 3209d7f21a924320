"""Spans that the observer of a run receives."""

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
from tests.railway.recording_observer import RecordingObserver
from tests.railway.scripted_calls import FINE, MISSING, TAKEN, Services, three_calls


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@railway
async def pipeline(run: Run[Failure], body: Callable[[Run[Failure]], Awaitable[object]]) -> object:
    return await body(run)


def run_observed(
    observer: RecordingObserver, body: Callable[[Run[Failure]], Awaitable[object]]
) -> Awaitable[Result[object, Failure]]:
    return pipeline.on(RunContext(observer=observer))(body)


async def test_observer_sees_starts_and_ends_in_order(
    observer: RecordingObserver, services: Services
) -> None:
    slow, fast = services.call("slow", after=2), services.call("fast", after=1)

    await run_observed(observer, lambda run: run.stage("core", slow, fast))

    assert observer.events == ["+core", "+slow", "+fast", "-fast", "-slow", "-core"]


async def test_start_and_end_share_span_object(observer: RecordingObserver, services: Services) -> None:
    twin = services.call("twin")

    await run_observed(observer, lambda run: run.stage("core", twin, twin))

    assert observer.stages[0] is observer.stages[1]
    assert [observer.calls.index(call) for call in observer.calls] == [0, 1, 0, 1]


async def test_stage_span_lists_calls_in_argument_order(
    observer: RecordingObserver, services: Services
) -> None:
    await run_observed(observer, lambda run: run.stage("core", services.call("a"), services.call("b")))

    assert [call.name for call in observer.stages[0].calls] == ["a", "b"]
    assert all(call.stage is observer.stages[0] for call in observer.calls)


async def test_call_span_ends_with_result(observer: RecordingObserver, services: Services) -> None:
    await run_observed(observer, lambda run: run.stage("core", services.call("a"), services.call("b", TAKEN)))

    assert observer.outcomes == {"a": FINE, "b": TAKEN}


async def test_constants_are_not_observed(observer: RecordingObserver, services: Services) -> None:
    await run_observed(observer, lambda run: run.stage("core", services.call("a"), constant("b", 7).map(str)))

    assert observer.events == ["+core", "+a", "-a", "-core"]


async def test_cancelled_call_ends_with_cancelled_error(
    observer: RecordingObserver, services: Services
) -> None:
    calls = services.call("a", MISSING), services.hang("b")

    await run_observed(observer, lambda run: run.stage("core", *calls, policy=FAIL_FAST))

    assert isinstance(observer.outcomes["b"], asyncio.CancelledError)
    assert observer.events[-1] == "-core"


async def test_bug_ends_every_call_span_of_stage(observer: RecordingObserver, services: Services) -> None:
    bug = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await run_observed(
            observer, lambda run: run.stage("core", services.call("a", bug), services.hang("b", cleanup=2))
        )
    assert observer.outcomes["a"] is bug
    assert observer.events[-2:] == ["-b", "-core"]


async def test_cancellation_ends_call_spans_before_stage(
    observer: RecordingObserver, services: Services
) -> None:
    async def request() -> None:
        await run_observed(
            observer, lambda run: run.stage("core", services.hang("a", cleanup=2), services.hang("b"))
        )

    task = asyncio.create_task(request())
    await asyncio.sleep(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert observer.events[-3:] == ["-b", "-a", "-core"]


async def test_calls_of_skipped_stage_are_not_observed(
    observer: RecordingObserver, services: Services
) -> None:
    async def run_two_stages(run: Run[Failure]) -> None:
        await run.stage("first", services.call("a", MISSING))
        await run.stage("second", services.call("b"))

    await run_observed(observer, run_two_stages)

    assert observer.events == ["+first", "+a", "-a", "-first"]


async def test_calls_cancelled_before_start_are_not_observed(
    observer: RecordingObserver, services: Services
) -> None:
    async def cancel_siblings() -> Result[int, Failure]:
        for task in asyncio.all_tasks() - {asyncio.current_task(), host}:
            task.cancel()
        return FINE

    host = asyncio.current_task()

    with pytest.raises(RuntimeError):
        await run_observed(
            observer, lambda run: run.stage("core", Call("hostile", cancel_siblings), services.call("victim"))
        )
    assert observer.events == ["+core", "+hostile", "-hostile", "-core"]


async def test_observer_sees_derived_call_once(observer: RecordingObserver, services: Services) -> None:
    shaped = services.call("a", MISSING).map(str).within(9).recover(lambda _: Ok("b")).optional()

    await run_observed(observer, lambda run: run.stage("core", shaped, services.call("b").tap(print)))

    assert observer.events == ["+core", "+a", "+b", "-a", "-b", "-core"]
    assert observer.outcomes["a"] is MISSING


async def test_observer_sees_every_bound_call(observer: RecordingObserver, services: Services) -> None:
    chain = services.call("a").bind(lambda _: services.call("b"))

    await run_observed(observer, lambda run: run.stage("core", chain))

    assert observer.events == ["+core", "+a", "-a", "+b", "-b", "-core"]
    assert all(call.stage is observer.stages[0] for call in observer.calls)


async def test_call_after_stage_has_no_stage_in_span(observer: RecordingObserver, services: Services) -> None:
    async def call_after_stage(run: Run[Failure]) -> None:
        await run.stage("core", services.call("a"))
        run.unwrap(await services.call("b"))

    await run_observed(observer, call_after_stage)

    assert observer.events == ["+core", "+a", "-a", "-core", "+b", "-b"]
    assert observer.calls[-1].stage is None


async def test_observer_sees_parallel_as_stage(observer: RecordingObserver, services: Services) -> None:
    both = parallel(services.call("a"), services.call("b"))

    await run_observed(observer, lambda _: both.map(max).make())

    assert observer.events == ["+a & b", "+a", "+b", "-a", "-b", "-a & b"]


async def test_observer_sees_nested_stage_inside_outer(
    observer: RecordingObserver, services: Services
) -> None:
    nested = parallel(services.call("a"), services.call("b"), name="inner").call

    await run_observed(observer, lambda run: run.stage("outer", nested, services.call("c", after=1)))

    assert observer.events == ["+outer", "+inner", "+c", "+a", "+b", "-a", "-b", "-inner", "-c", "-outer"]
    assert [call.stage.name for call in observer.calls[:3] if call.stage] == ["outer", "inner", "inner"]


async def test_outer_observer_sees_nested_pipeline(observer: RecordingObserver, services: Services) -> None:
    nested = Call("nested", lambda: three_calls(services.call("a"), services.call("b"), services.call("c")))

    await run_observed(observer, lambda run: run.stage("outer", nested))

    assert observer.events[:3] == ["+outer", "+nested", "+three_calls"]
    assert observer.events[-3:] == ["-three_calls", "-nested", "-outer"]


async def test_each_run_notifies_its_own_observer(services: Services) -> None:
    observers = [RecordingObserver(), RecordingObserver()]
    requests = [
        run_observed(observer, lambda run: run.stage("core", services.call("a", after=1), services.call("b")))
        for observer in observers
    ]

    await asyncio.gather(*requests)

    assert observers[0].events == observers[1].events == ["+core", "+a", "+b", "-b", "-a", "-core"]


class FailingAtCallEnd(RecordingObserver):
    """Observer that raises when a call ends."""

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        raise ZeroDivisionError


async def test_observer_error_raises_and_cancels_siblings(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_observed(
            FailingAtCallEnd(), lambda run: run.stage("core", services.call("a"), services.hang("b"))
        )

    assert services.log[-1] == "b cleaned up"


async def test_spans_of_same_name_are_not_equal() -> None:
    assert CallSpan("a", None) != CallSpan("a", None)
    assert StageSpan("a", (), SETTLE) != StageSpan("a", (), SETTLE)
