"""Trace of a request."""

import asyncio
import gc
from collections.abc import Sequence
from weakref import ref

import pytest

from gateway.observability.outcome import Outcome
from gateway.observability.trace import Trace
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    CallKind,
    Err,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    RunContext,
    constant,
    railway,
)
from tests.observability.scripted_bank import LOST, PAID, TAKEN, Bank, order, trace_order


def slow_call(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Result[str, NotFound]:
        await asyncio.sleep(seconds)
        return Err(NotFound("no")) if name == "lost" else Ok(name)

    return Call(name, attempt)


def now() -> float:
    return asyncio.get_running_loop().time()


def create_trace() -> Trace:
    return Trace(asyncio.get_running_loop().time)


@railway
async def pair(
    run: Run[NotFound | Aggregate], first: Call[str, NotFound], second: Call[str, NotFound], policy: Policy
) -> None:
    await run.stage("pair", first, second, policy=policy)


@railway
async def places(run: Run[NotFound | Aggregate], calls: Sequence[Call[str, NotFound]]) -> None:
    await run.each("places", calls)


async def test_trace_records_stages_and_times() -> None:
    trace = create_trace()

    await pair.on(RunContext(observer=trace))(slow_call("a", 0.05), slow_call("b", 0.02), FAIL_FAST)

    (stage,) = trace.stages
    assert [(call.name, call.stage is stage, call.status) for call in trace.calls] == [
        ("a", True, "ok"),
        ("b", True, "ok"),
    ]
    assert [call.end for call in trace.calls] == pytest.approx([0.05, 0.02])


async def test_trace_marks_failed_and_cancelled_calls() -> None:
    trace = create_trace()

    await pair.on(RunContext(observer=trace))(slow_call("lost", 0.01), slow_call("b", 0.02), FAIL_FAST)

    assert [call.status for call in trace.calls] == ["not-found", "cancelled"]


async def test_trace_marks_call_that_raises_as_bug() -> None:
    async def broken() -> Result[str, NotFound]:
        raise ZeroDivisionError

    trace = create_trace()

    with pytest.raises(ZeroDivisionError):
        await pair.on(RunContext(observer=trace))(Call("broken", broken), slow_call("b", 1), FAIL_FAST)

    assert [call.status for call in trace.calls] == ["bug", "cancelled"]


async def test_own_time_is_time_between_calls() -> None:
    trace = create_trace()
    run = pair.on(RunContext(observer=trace))

    await run(slow_call("a", 0.05), slow_call("b", 0.02), FAIL_FAST)
    await asyncio.sleep(1)
    await run(slow_call("c", 0.01), slow_call("d", 0.03), FAIL_FAST)

    assert trace.measure_own(now()) == pytest.approx(1)
    assert trace.sequential == pytest.approx(0.11)
    assert trace.elapsed == pytest.approx(1.08)


async def test_overlapping_calls_count_once() -> None:
    trace = create_trace()
    run = pair.on(RunContext(observer=trace))

    async with asyncio.TaskGroup() as group:
        group.create_task(run(slow_call("a", 0.05), slow_call("b", 0.01), FAIL_FAST))
        await asyncio.sleep(0.03)
        group.create_task(run(slow_call("c", 0.01), slow_call("d", 0.05), FAIL_FAST))

    assert trace.measure_own(now()) == pytest.approx(0)


async def test_running_call_counts_until_now() -> None:
    trace = create_trace()

    async with asyncio.TaskGroup() as group:
        group.create_task(
            pair.on(RunContext(observer=trace))(slow_call("a", 9), slow_call("b", 0.02), FAIL_FAST)
        )
        await asyncio.sleep(0.03)

        assert trace.calls[0].status == "running"
        assert (trace.measure_own(now()), trace.sequential) == (0, 0.05)


async def test_call_outside_stage_is_traced_without_stage() -> None:
    @railway
    async def single(run: Run[NotFound]) -> str:
        return run.unwrap(await slow_call("a", 0.01))

    trace = create_trace()

    await single.on(RunContext(observer=trace))()

    assert [(call.name, call.stage) for call in trace.calls] == [("a", None)]


async def test_trace_marks_outcomes_of_stages() -> None:
    trace = create_trace()
    run = pair.on(RunContext(observer=trace))
    await run(slow_call("a", 0.05), slow_call("b", 0.02), FAIL_FAST)
    await run(slow_call("lost", 0.01), slow_call("b", 0.02), FAIL_FAST)

    done, refused = trace.stages
    assert (done.start, done.end) == (0, 0.05)
    assert [stage.outcome for stage in (done, refused)] == [Outcome.DONE, Outcome.REFUSED]


async def test_stage_in_progress_is_running() -> None:
    trace = create_trace()
    running = asyncio.create_task(
        pair.on(RunContext(observer=trace))(slow_call("a", 9), slow_call("b", 0.02), FAIL_FAST)
    )
    await asyncio.sleep(1)

    assert [stage.outcome for stage in trace.stages] == [Outcome.RUNNING]
    running.cancel()
    await asyncio.wait((running,))
    assert [stage.outcome for stage in trace.stages] == [Outcome.CANCELLED]


async def test_repeats_of_write_are_one_call() -> None:
    trace = await trace_order(Bank(LOST, LOST, PAID, PAID, PAID))

    pay, ship, bill = trace.calls
    (commit,) = trace.stages
    assert [(call.name, call.outcome, call.undo) for call in (pay, ship, bill)] == [
        ("bank.pay", Outcome.DONE, None),
        ("shop.ship", Outcome.DONE, None),
        ("shop.bill", Outcome.DONE, None),
    ]
    assert trace.measure_own(now()) == pytest.approx(0)
    assert [call.made for call in trace.calls] == [3, 1, 1]
    assert pay.end is not None
    assert pay.end > 0.4  # three times 100 ms, and the pauses between them
    assert (commit.is_commit, commit.outcome, ship.start) == (True, Outcome.DONE, pay.end)


async def test_undone_commit_is_shown() -> None:
    trace = await trace_order(Bank(PAID, TAKEN))

    pay, ship, repay = trace.calls
    assert [call.outcome for call in (pay, ship, repay)] == [Outcome.UNDONE, Outcome.REFUSED, Outcome.DONE]
    assert (pay.undo, repay.kind) == (repay, CallKind.UNDO)
    assert [stage.outcome for stage in trace.stages] == [Outcome.UNDONE]


async def test_stuck_commit_is_shown() -> None:
    trace = await trace_order(Bank(PAID, TAKEN, is_undoable=False))

    assert trace.calls[0].outcome is Outcome.STUCK
    assert [stage.outcome for stage in trace.stages] == [Outcome.STUCK]
    assert trace.measure_own(now()) == pytest.approx(0, abs=0.01)
    assert len(trace.calls) == 3


async def test_undo_in_progress_leaves_outcome_of_write() -> None:
    trace = create_trace()
    running = asyncio.create_task(order.on(RunContext(observer=trace))(Bank(PAID, TAKEN)))
    await asyncio.sleep(0.25)

    assert [call.outcome for call in trace.calls] == [Outcome.DONE, Outcome.REFUSED, Outcome.RUNNING]
    assert trace.list_never_run(trace.stages[0]) == ()
    await asyncio.wait((running,))


@pytest.mark.parametrize(
    ("bank", "paused"), [(Bank(LOST, PAID, PAID, PAID), 0), (Bank(PAID, TAKEN, is_undoable=False), 2)]
)
async def test_pause_before_repeat_belongs_to_call(bank: Bank, paused: int) -> None:
    """A response at the deadline may come in a pause between two attempts of a write or an undo."""
    trace = create_trace()
    running = asyncio.create_task(order.on(RunContext(observer=trace))(bank))
    await asyncio.sleep(0.31 if paused else 0.11)

    call = trace.calls[paused]
    assert (call.outcome, call.find_end(now())) == (Outcome.RUNNING, now())
    assert trace.measure_own(now()) == pytest.approx(0)
    assert Outcome.STUCK not in {call.outcome for call in trace.calls}
    running.cancel()
    await asyncio.wait((running,))


async def test_exit_of_run_is_no_bug() -> None:
    @railway
    async def pay(run: Run[NotFound | Aggregate]) -> None:
        async def attempt() -> Result[str, NotFound]:
            return run.fail(NotFound("no"))

        await run.stage("pay", Call("pay.all", attempt))

    trace = create_trace()
    await pay.on(RunContext(observer=trace))()

    assert [(call.outcome, call.status) for call in trace.calls] == [(Outcome.REFUSED, "not-found")]
    assert [stage.outcome for stage in trace.stages] == [Outcome.REFUSED]


async def test_trace_is_freed_without_garbage_collector() -> None:
    trace = create_trace()
    await pair.on(RunContext(observer=trace))(slow_call("lost", 0.01), slow_call("b", 0.02), FAIL_FAST)
    freed = ref(trace)
    gc.collect()
    gc.disable()
    try:
        del trace
        assert freed() is None
    finally:
        gc.enable()


async def test_steps_after_refused_write_never_run() -> None:
    trace = await trace_order(Bank(TAKEN))

    (commit,) = trace.stages
    assert trace.list_never_run(commit) == ["shop.ship", "shop.bill"]
    assert commit.outcome is Outcome.REFUSED


async def test_derived_calls_are_not_missed() -> None:
    @railway
    async def prices(run: Run[NotFound | Aggregate]) -> None:
        await run.stage("prices", slow_call("a", 0.01), constant("tax", 0))

    trace = create_trace()
    await prices.on(RunContext(observer=trace))()

    assert trace.list_never_run(trace.stages[0]) == []
