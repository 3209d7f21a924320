"""Headers with times: Server-Timing and Timing-Allow-Origin."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.observability.server_timing import ServerTiming, TimingHeaders, build_server_timing
from gateway.observability.trace import Trace
from gateway.railway import Aggregate, Call, NotFound, Ok, Result, Run, RunContext, railway


def slow_call(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Result[str, NotFound]:
        await asyncio.sleep(seconds)
        return Ok(name)

    return Call(name, attempt)


def create_trace() -> Trace:
    return Trace(asyncio.get_running_loop().time)


@railway
async def places(run: Run[NotFound | Aggregate], calls: Sequence[Call[str, NotFound]]) -> None:
    await run.each("places", calls)


async def test_server_timing_lists_calls_and_gateway() -> None:
    trace = create_trace()

    await asyncio.sleep(0.002)
    await places.on(RunContext(observer=trace))([slow_call("users.fetch", 0.05), slow_call("a b", 0.02)])

    assert build_server_timing(trace, "all") == "users.fetch;dur=50.0, a_b;dur=20.0, gateway;dur=2.0"


async def test_server_timing_has_entry_for_each_list_item() -> None:
    trace = create_trace()

    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)] * 3)

    assert build_server_timing(trace, "all") == ", ".join([*["geo.place;dur=10.0"] * 3, "gateway;dur=0.0"])
    assert {call.stage and call.stage.name for call in trace.calls} == {"places"}


async def test_server_timing_has_at_most_2_kib() -> None:
    trace = create_trace()

    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)] * 500)

    *entries, own = build_server_timing(trace, "all").split(", ")
    assert (own, {*entries}) == ("gateway;dur=0.0", {"geo.place;dur=10.0"})
    assert 2048 - len(", geo.place;dur=10.0") < len(build_server_timing(trace, "all")) <= 2048


async def test_server_timing_keeps_longest_calls() -> None:
    trace = create_trace()
    calls = [slow_call(f"geo.place-{n}", 0.001 * ((n * 7) % 400)) for n in range(400)]

    await places.on(RunContext(observer=trace))(calls)

    *entries, _ = build_server_timing(trace, "all").split(", ")
    numbers = [int(entry.partition(";")[0].rpartition("-")[2]) for entry in entries]
    assert numbers == sorted(numbers)
    assert len(numbers) > 60
    assert sorted((n * 7) % 400 for n in numbers) == list(range(400 - len(numbers), 400))


async def test_server_timing_leaves_out_only_long_names() -> None:
    """The name of a call that does not fit must not displace the calls that do."""
    trace = create_trace()
    calls = [slow_call("x" * 4000, 0.03), slow_call("b", 0.02), slow_call("c", 0.01)]

    await places.on(RunContext(observer=trace))(calls)

    assert build_server_timing(trace, "all") == "b;dur=20.0, c;dur=10.0, gateway;dur=0.0"


async def test_server_timing_of_exactly_2_kib_is_whole() -> None:
    trace = create_trace()
    name = "x" * (2048 - len(";dur=10.0, gateway;dur=0.0"))

    await places.on(RunContext(observer=trace))([slow_call(name, 0.01)])

    assert build_server_timing(trace, "all") == f"{name};dur=10.0, gateway;dur=0.0"


async def test_time_of_gateway_excludes_pauses() -> None:
    """The request has waited for another one with the same idempotency key."""
    trace = create_trace()

    await asyncio.sleep(0.002)
    with trace.pause():
        await asyncio.sleep(3)
    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)])

    assert build_server_timing(trace, "all") == "geo.place;dur=10.0, gateway;dur=2.0"


async def test_own_timing_names_no_call() -> None:
    trace = create_trace()

    await places.on(RunContext(observer=trace))([slow_call("geo.place", 0.01)])
    await asyncio.sleep(0.002)

    assert build_server_timing(trace, "own") == "gateway;dur=2.0"


@pytest.mark.parametrize(
    ("entries", "origins", "headers"),
    [
        ("all", (), {"Server-Timing": "gateway;dur=0.0"}),
        ("own", ("*",), {"Server-Timing": "gateway;dur=0.0", "Timing-Allow-Origin": "*"}),
        (
            "own",
            ("https://a.test", "https://b.test"),
            {"Server-Timing": "gateway;dur=0.0", "Timing-Allow-Origin": "https://a.test, https://b.test"},
        ),
        ("off", ("*",), {}),
    ],
)
async def test_headers_follow_settings(
    entries: ServerTiming, origins: Sequence[str], headers: dict[str, str]
) -> None:
    timing = TimingHeaders(entries, origins)

    assert timing.build(create_trace()) == timing.build_without_trace() == headers
