"""Waterfall of a request."""

import asyncio
import io

from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall, draw_waterfall
from gateway.railway import Aggregate, Call, NotFound, Ok, Run, RunContext, railway


def slow_call(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Ok[str]:
        await asyncio.sleep(seconds)
        return Ok(name)

    return Call(name, attempt)


@railway
async def checkout(run: Run[NotFound | Aggregate]) -> None:
    await run.stage("core data", slow_call("users.fetch", 0.05), slow_call("inventory.check", 0.03))
    await run.stage("pricing", slow_call("pricing.tax", 0.02))
    run.unwrap(await slow_call("audit", 0.05).within(0.01).optional(None))


async def trace_checkout() -> Trace:
    trace = Trace(asyncio.get_running_loop().time)
    await checkout.on(RunContext(observer=trace))()
    return trace


async def test_waterfall_draws_bars_by_stage() -> None:
    drawing = draw_waterfall("POST /checkout 200", await trace_checkout())

    summary, *rows = drawing.splitlines()
    assert summary.startswith("POST /checkout 200 in 90.0 ms, 0.0 ms of that in the gateway; ")
    assert summary.endswith("the calls in sequence: 120.0 ms, 1.3 times as long")
    assert rows == [
        "  core data",
        "    users.fetch      ██████████████████████                      50.0 ms",
        "    inventory.check  █████████████                               30.0 ms",
        "  pricing",
        "    pricing.tax                            █████████             20.0 ms",
        "  (no stage)",
        "    audit                                           █████████    20.0 ms  cancelled",
    ]


async def test_waterfall_without_calls_is_only_a_summary() -> None:
    trace = Trace(asyncio.get_running_loop().time)
    await asyncio.sleep(0.002)

    drawing = draw_waterfall("POST /checkout 422", trace)

    assert drawing == "POST /checkout 422 in 2.0 ms, 2.0 ms of that in the gateway"


async def test_waterfall_is_drawn_at_most_once_per_second() -> None:
    out = io.StringIO()
    draw = Waterfall(out, asyncio.get_running_loop().time)
    trace = await trace_checkout()

    draw("first", trace)
    draw("second", trace)
    await asyncio.sleep(1)
    draw("third", trace)

    titles = [line.split()[0] for line in out.getvalue().splitlines() if not line.startswith(" ")]
    assert titles == ["first", "third"]
