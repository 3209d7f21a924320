"""What a trace keeps, and what it says of it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.observability.trace import Trace
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Call,
    Err,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    RunContext,
    railway,
)

Three = Callable[[float, float, float], Awaitable[Trace]]


def lasting(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Result[str, NotFound]:
        await asyncio.sleep(seconds)
        return Err(NotFound("no")) if name == "lost" else Ok(name)

    return Call(name, attempt)


def a_trace() -> Trace:
    return Trace(asyncio.get_running_loop().time)


@railway
async def pair(
    run: Run[NotFound | Aggregate], first: Call[str, NotFound], second: Call[str, NotFound], policy: Policy
) -> None:
    await run.stage("pair", first, second, policy=policy)


async def test_each_call_is_kept_with_its_stage_and_its_time() -> None:
    trace = a_trace()

    await pair.on(RunContext(observer=trace))(lasting("a", 0.05), lasting("b", 0.02), FAIL_FAST)

    assert [(call.name, call.stage, call.verdict) for call in trace.calls] == [
        ("a", "pair", "ok"),
        ("b", "pair", "ok"),
    ]
    assert [call.end for call in trace.calls] == pytest.approx([0.05, 0.02])


async def test_a_call_says_how_it_ended() -> None:
    trace = a_trace()

    await pair.on(RunContext(observer=trace))(lasting("lost", 0.01), lasting("b", 0.02), FAIL_FAST)

    assert [call.verdict for call in trace.calls] == ["not-found", "cancelled"]


async def test_a_bug_is_called_a_bug() -> None:
    async def broken() -> Result[str, NotFound]:
        raise ZeroDivisionError

    trace = a_trace()

    with pytest.raises(ZeroDivisionError):
        await pair.on(RunContext(observer=trace))(Call("broken", broken), lasting("b", 1), FAIL_FAST)

    assert [call.verdict for call in trace.calls] == ["bug", "cancelled"]


async def test_the_critical_path_counts_calls_side_by_side_once_and_pauses_not_at_all() -> None:
    trace = a_trace()
    run = pair.on(RunContext(observer=trace))

    await run(lasting("a", 0.05), lasting("b", 0.02), FAIL_FAST)
    await asyncio.sleep(1)
    await run(lasting("c", 0.01), lasting("d", 0.03), FAIL_FAST)

    assert trace.critical_path == pytest.approx(0.08)
    assert trace.sequential == pytest.approx(0.11)
    assert trace.wall == pytest.approx(1.08)


async def test_overlapping_calls_count_from_the_first_start_to_the_last_end() -> None:
    trace = a_trace()
    run = pair.on(RunContext(observer=trace))

    async with asyncio.TaskGroup() as group:
        group.create_task(run(lasting("a", 0.05), lasting("b", 0.01), FAIL_FAST))
        await asyncio.sleep(0.03)
        group.create_task(run(lasting("c", 0.01), lasting("d", 0.05), FAIL_FAST))

    assert trace.critical_path == pytest.approx(0.08)


async def test_server_timing_names_each_call_and_the_gateways_own_time() -> None:
    trace = a_trace()

    await asyncio.sleep(0.002)
    await pair.on(RunContext(observer=trace))(lasting("users.fetch", 0.05), lasting("a b", 0.02), FAIL_FAST)

    assert trace.server_timing() == "users.fetch;dur=50.0, a_b;dur=20.0, gateway;dur=2.0"


async def test_a_call_that_is_still_running_counts_up_to_now() -> None:
    trace = a_trace()

    async with asyncio.TaskGroup() as group:
        group.create_task(pair.on(RunContext(observer=trace))(lasting("a", 9), lasting("b", 0.02), FAIL_FAST))
        await asyncio.sleep(0.03)

        assert trace.calls[0].verdict == "running"
        assert trace.server_timing() == "a;dur=30.0, b;dur=20.0, gateway;dur=0.0"


async def test_a_call_outside_any_stage_has_none() -> None:
    @railway
    async def single(run: Run[NotFound]) -> str:
        return run.unwrap(await lasting("a", 0.01))

    trace = a_trace()

    await single.on(RunContext(observer=trace))()

    assert [(call.name, call.stage) for call in trace.calls] == [("a", None)]
