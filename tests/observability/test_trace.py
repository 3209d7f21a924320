"""Trace of a request."""

import asyncio
from collections.abc import Sequence

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


def slow_call(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Result[str, NotFound]:
        await asyncio.sleep(seconds)
        return Err(NotFound("no")) if name == "lost" else Ok(name)

    return Call(name, attempt)


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

    assert [(call.name, call.stage, call.status) for call in trace.calls] == [
        ("a", "pair", "ok"),
        ("b", "pair", "ok"),
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


async def test_busy_time_excludes_time_between_calls() -> None:
    trace = create_trace()
    run = pair.on(RunContext(observer=trace))

    await run(slow_call("a", 0.05), slow_call("b", 0.02), FAIL_FAST)
    await asyncio.sleep(1)
    await run(slow_call("c", 0.01), slow_call("d", 0.03), FAIL_FAST)

    assert trace.busy == pytest.approx(0.08)
    assert trace.sequential == pytest.approx(0.11)
    assert trace.elapsed == pytest.approx(1.08)


async def test_busy_time_counts_overlap_once() -> None:
    trace = create_trace()
    run = pair.on(RunContext(observer=trace))

    async with asyncio.TaskGroup() as group:
        group.create_task(run(slow_call("a", 0.05), slow_call("b", 0.01), FAIL_FAST))
        await asyncio.sleep(0.03)
        group.create_task(run(slow_call("c", 0.01), slow_call("d", 0.05), FAIL_FAST))

    assert trace.busy == pytest.approx(0.08)


async def test_server_timing_lists_calls_and_gateway() -> None:
    trace = create_trace()

    await asyncio.sleep(0.002)
    await pair.on(RunContext(observer=trace))(
        slow_call("users.fetch", 0.05), slow_call("a b", 0.02), FAIL_FAST
    )

    assert trace.server_timing() == "users.fetch;dur=50.0, a_b;dur=20.0, gateway;dur=2.0"


async def test_server_timing_has_entry_for_each_list_item() -> None:
    trace = create_trace()

    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)] * 3)

    assert trace.server_timing() == ", ".join([*["geo.place;dur=10.0"] * 3, "gateway;dur=0.0"])
    assert {call.stage for call in trace.calls} == {"places"}


async def test_server_timing_has_at_most_2_kib() -> None:
    trace = create_trace()

    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)] * 500)

    *entries, own = trace.server_timing().split(", ")
    assert (own, {*entries}) == ("gateway;dur=0.0", {"geo.place;dur=10.0"})
    assert 2048 - len(", geo.place;dur=10.0") < len(trace.server_timing()) <= 2048


async def test_server_timing_keeps_longest_calls() -> None:
    trace = create_trace()
    calls = [slow_call(f"geo.place-{n}", 0.001 * ((n * 7) % 400)) for n in range(400)]

    await places.on(RunContext(observer=trace))(calls)

    *entries, _ = trace.server_timing().split(", ")
    numbers = [int(entry.partition(";")[0].rpartition("-")[2]) for entry in entries]
    assert numbers == sorted(numbers)
    assert len(numbers) > 60
    assert sorted((n * 7) % 400 for n in numbers) == list(range(400 - len(numbers), 400))


async def test_server_timing_leaves_out_only_long_names() -> None:
    """The name of a call that does not fit must not displace the calls that do."""
    trace = create_trace()
    calls = [slow_call("x" * 4000, 0.03), slow_call("b", 0.02), slow_call("c", 0.01)]

    await places.on(RunContext(observer=trace))(calls)

    assert trace.server_timing() == "b;dur=20.0, c;dur=10.0, gateway;dur=0.0"


async def test_server_timing_of_exactly_2_kib_is_whole() -> None:
    trace = create_trace()
    name = "x" * (2048 - len(";dur=10.0, gateway;dur=0.0"))

    await places.on(RunContext(observer=trace))([slow_call(name, 0.01)])

    assert trace.server_timing() == f"{name};dur=10.0, gateway;dur=0.0"


async def test_running_call_is_timed_until_now() -> None:
    trace = create_trace()

    async with asyncio.TaskGroup() as group:
        group.create_task(
            pair.on(RunContext(observer=trace))(slow_call("a", 9), slow_call("b", 0.02), FAIL_FAST)
        )
        await asyncio.sleep(0.03)

        assert trace.calls[0].status == "running"
        assert trace.server_timing() == "a;dur=30.0, b;dur=20.0, gateway;dur=0.0"


async def test_call_outside_stage_is_traced_without_stage() -> None:
    @railway
    async def single(run: Run[NotFound]) -> str:
        return run.unwrap(await slow_call("a", 0.01))

    trace = create_trace()

    await single.on(RunContext(observer=trace))()

    assert [(call.name, call.stage) for call in trace.calls] == [("a", None)]
