"""The picture of a request."""

import asyncio
import io

from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall, drawn
from gateway.railway import Aggregate, Call, NotFound, Ok, Run, RunContext, railway


def lasting(name: str, seconds: float) -> Call[str, NotFound]:
    async def attempt() -> Ok[str]:
        await asyncio.sleep(seconds)
        return Ok(name)

    return Call(name, attempt)


@railway
async def checkout(run: Run[NotFound | Aggregate]) -> None:
    await run.stage("core data", lasting("users.fetch", 0.05), lasting("inventory.check", 0.03))
    await run.stage("pricing", lasting("pricing.tax", 0.02))
    run.unwrap(await lasting("audit", 0.05).within(0.01).optional(None))


async def traced() -> Trace:
    trace = Trace(asyncio.get_running_loop().time)
    await checkout.on(RunContext(observer=trace))()
    return trace


async def test_each_call_is_a_bar_under_its_stage() -> None:
    picture = drawn("POST /checkout 200", await traced())

    summary, *rows = picture.splitlines()
    assert summary.startswith("POST /checkout 200 in 90.0 ms, 0.0 of them the gateway's own; ")
    assert summary.endswith("one call after the other 120.0 ms, 1.3 times as long")
    assert rows == [
        "  core data",
        "    users.fetch      ██████████████████████                      50.0 ms",
        "    inventory.check  █████████████                               30.0 ms",
        "  pricing",
        "    pricing.tax                            █████████             20.0 ms",
        "  (no stage)",
        "    audit                                           █████████    20.0 ms  cancelled",
    ]


async def test_without_calls_there_is_only_the_summary() -> None:
    trace = Trace(asyncio.get_running_loop().time)
    await asyncio.sleep(0.002)

    assert drawn("POST /checkout 422", trace) == "POST /checkout 422 in 2.0 ms, 2.0 of them the gateway's own"


async def test_at_most_one_picture_a_second_is_drawn() -> None:
    out = io.StringIO()
    draw = Waterfall(out, asyncio.get_running_loop().time)
    trace = await traced()

    draw("first", trace)
    draw("second", trace)
    await asyncio.sleep(1)
    draw("third", trace)

    titles = [line.split()[0] for line in out.getvalue().splitlines() if not line.startswith(" ")]
    assert titles == ["first", "third"]
