"""Waterfall of a request."""

import asyncio
import io

from gateway.observability.trace import Trace
from gateway.observability.waterfall import Waterfall, draw_waterfall
from gateway.railway import (
    FAIL_FAST,
    SEQUENTIAL,
    Aggregate,
    Call,
    Err,
    Failure,
    NotFound,
    Ok,
    Run,
    RunContext,
    StageCall,
    StageSpan,
    Unavailable,
    railway,
)
from gateway.resilience.terms import BreakerTerms, RetryTerms
from tests.observability.scripted_bank import PAID, TAKEN, Bank, order, trace_order
from tests.resilience.scripted_upstream import Service, Step, build_client, fetch


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


@railway
async def fetch_lamp(run: Run[Failure], *calls: Call[object, Failure]) -> None:
    await run.stage("core data", *calls)


async def draw(*calls: Call[object, Failure]) -> list[str]:
    trace = Trace(asyncio.get_running_loop().time)
    await fetch_lamp.on(RunContext(observer=trace))(*calls)
    return draw_waterfall("GET /lamp", trace).splitlines()[2:]


async def test_waterfall_shows_attempts_and_pauses() -> None:
    service = Service(Step(503, after=0.5, retry_after="1"), Step(after=0.5))
    things = build_client(service, retries=RetryTerms(backoff=1e-9))

    assert await draw(fetch(things)) == [
        "    things.fetch  ██████████░░░░░░░░░░░░░░░░░░░░██████████  2000.0 ms  1 retry"
    ]


async def test_waterfall_shows_wait_for_slot() -> None:
    things = build_client(Service(Step(after=0.05)), max_concurrency=1)

    assert await draw(fetch(things), fetch(things)) == [
        "    things.fetch  ████████████████████                        50.0 ms",
        "    things.fetch  ░░░░░░░░░░░░░░░░░░░░████████████████████   100.0 ms",
    ]


async def test_waterfall_shows_rejected_call() -> None:
    things = build_client(Service(Step(after=0.05)), max_concurrency=1)

    *_, shed = await draw(*(fetch(things).optional() for _ in range(3)))

    assert shed == f"    things.fetch  ░{' ' * 39}     0.0 ms  unavailable, not sent: concurrency limit"


async def test_waterfall_shows_short_attempts() -> None:
    """An attempt that is refused at once is shorter than a character."""
    things = build_client(
        Service(Step(503, retry_after="1"), Step(503, retry_after="1"), Step(after=0.001)),
        retries=RetryTerms(backoff=1e-9),
    )

    assert await draw(fetch(things)) == [
        "    things.fetch  █░░░░░░░░░░░░░░░░░░░█░░░░░░░░░░░░░░░░░░█  2001.0 ms  2 retries"
    ]


async def test_waterfall_shows_undo_and_steps_that_never_run() -> None:
    drawing = draw_waterfall("POST /orders", await trace_order(Bank(PAID, TAKEN)))

    assert drawing.splitlines()[1:] == [
        "  settlement (undone)",
        "    bank.pay       █████████████                              100.0 ms  undone",
        "    shop.ship                   ██████████████                100.0 ms  conflict",
        "    bank.pay.undo                             █████████████   100.0 ms",
        "    shop.bill      never run",
    ]


async def test_waterfall_shows_stuck_commit() -> None:
    drawing = draw_waterfall("POST /orders", await trace_order(Bank(PAID, TAKEN, is_undoable=False)))

    stage, pay, *_ = drawing.splitlines()[1:]
    assert stage == "  settlement (stuck)"
    assert pay.endswith("100.0 ms  stuck")


async def test_waterfall_shows_commit_in_progress() -> None:
    """A response at the deadline comes before the end of the commit."""
    trace = Trace(asyncio.get_running_loop().time)
    running = asyncio.create_task(order.on(RunContext(observer=trace))(Bank(PAID, PAID, PAID)))
    await asyncio.sleep(0.15)

    assert draw_waterfall("POST /orders 202", trace).splitlines()[1:] == [
        "  settlement",
        "    bank.pay   ███████████████████████████                100.0 ms",
        "    shop.ship                             █████████████    50.0 ms  running",
    ]
    running.cancel()
    await asyncio.wait((running,))


async def test_waterfall_shows_wait_of_call_that_was_never_sent() -> None:
    things = build_client(Service(Step(after=3)), max_concurrency=1, timeout=4)

    *_, late = await draw(*(fetch(things).optional() for _ in range(2)))

    assert late == f"    things.fetch  ░{' ' * 39}   100.0 ms  unavailable, not sent: concurrency limit"


async def test_waterfall_shows_rejected_retry() -> None:
    """Other calls open the circuit breaker while the first one pauses."""
    service = Service(Step(503, retry_after="1"), Step(503, after=0.9))
    breaker = BreakerTerms(minimum=2, pause=0.5)
    things = build_client(service, breaker=breaker, retries=RetryTerms(backoff=1e-9))

    first, *_ = await draw(*(fetch(things) for _ in range(3)))

    assert first.endswith("1000.0 ms  unavailable, retry rejected: circuit breaker")


async def test_waterfall_counts_calls_that_never_run() -> None:
    @railway
    async def scan(run: Run[Failure]) -> None:
        await run.each("scan", [fail("scan.item") for _ in range(100)], at_once=10, policy=FAIL_FAST)

    def fail(name: str) -> Call[str, NotFound]:
        async def attempt() -> Err[NotFound]:
            return Err(NotFound("no"))

        return Call(name, attempt)

    trace = Trace(asyncio.get_running_loop().time)
    await scan.on(RunContext(observer=trace))()
    *_, last = draw_waterfall("GET /scan", trace).splitlines()

    assert last.startswith("    scan.item  never run (")


async def test_waterfall_of_instant_is_drawn() -> None:
    trace = Trace(lambda: 1.0)
    await checkout.on(RunContext(observer=trace))()

    summary, _, row, *_ = draw_waterfall("POST /checkout 200", trace).splitlines()
    assert summary == "POST /checkout 200 in 0.0 ms, 0.0 ms of that in the gateway"
    assert row == f"    users.fetch      █{' ' * 39}     0.0 ms"


async def test_waterfall_shows_commit_that_could_not_begin() -> None:
    """The journal is unavailable."""
    trace = Trace(asyncio.get_running_loop().time)
    commit = StageSpan("settlement", (StageCall("bank.pay", is_write=True),), SEQUENTIAL)
    trace.stage_started(commit)
    trace.stage_ended(commit, Err(Unavailable("down", was_sent=False)))

    assert draw_waterfall("POST /orders 503", trace).splitlines()[1:] == [
        "  settlement",
        "    bank.pay  never run",
    ]
