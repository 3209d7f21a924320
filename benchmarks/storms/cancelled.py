"""Ten thousand fail-fast requests that are cancelled, beside somebody who reads the feed."""

import asyncio
import statistics
from itertools import chain, cycle, repeat
from typing import Final

from benchmarks.storms.answers import LEFT, Answers
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT, FEED, REFUSED_ORDER
from benchmarks.storms.stand import Stand, Target, eventually, stand

__all__ = ("cancelled",)

_RATE: Final = 150
_FEED_RATE: Final = 40
_ROUNDS: Final = 3
_LONGEST_ROUND: Final = 15.0
_ROUNDS_PER_SIZE: Final = 600
_PATIENCE: Final = 10.0
_EXPIRED: Final = 12.0
"""Seconds within which idle connections are closed: by the gateway within 8, by httpx after 5."""
_KEPT: Final = 4
"""httpx closes idle connections only when it is asked for something else, and that keeps its own."""
_NOISE: Final = 1.5


async def cancelled(target: Target, size: float) -> Report:
    """Have *size* orders cancelled, of which half are refused by a sibling and half left by the client.

    The user is unknown and the user service says so after 50 ms; the stock would be known after 400 ms. A
    client that hangs up does so before either.
    """
    report = Report()
    quiet = min(_LONGEST_ROUND, max(2.0, size / _ROUNDS_PER_SIZE))
    async with stand(target) as site:
        await site.warm_up(FEED, REFUSED_ORDER, CHECKOUT)
        before = await _read(site, quiet)
        tasks = await site.tasks()
        await site.services.break_down("inventory", "latency", "/inventory", latency_ms=400)
        async with asyncio.TaskGroup() as group:
            orders = cycle((REFUSED_ORDER, REFUSED_ORDER.leaving(0.025)))
            storming = group.create_task(site.client.steadily(orders, _RATE, size / _RATE))
            reading = group.create_task(
                site.client.steadily(repeat(FEED), _FEED_RATE, max(quiet, size / _RATE))
            )
        storm, during = storming.result(), reading.result()
        await site.services.heal("inventory")
        after = await _read(site, quiet)

        report.tell("answers to what was cancelled", storm.told)
        report.must(not storm.but(404, LEFT), f"what was cancelled was answered with {storm.told}")
        report.must(not during.unwell, f"the feed was answered with {during.told} during the storm")

        async def is_idle() -> bool:
            return await site.tasks() <= tasks

        await eventually(is_idle, _PATIENCE)
        left, kept, opened = await site.tasks() - tasks, await _kept(site), await site.open_breakers()
        burst = await site.burst()
        report.tell("tasks left", f"{left}")
        report.must(left <= 0, f"{left} tasks are left")
        report.tell("connections to services that did not end when idle", f"{kept}")
        report.must(not kept, f"{kept} connections to services did not end when idle")
        report.tell("a hundred checkouts at once after it", burst.told)
        report.must(not burst.but(200), f"a hundred checkouts at once after it came to {burst.told}")
        report.must(not opened, f"breakers are open: {', '.join(opened)}")
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    report.must(
        not Answers(chain(*before, *after)).unwell, "the feed was not whole before the storm, or after it"
    )
    p99 = statistics.median(one.p99 for one in after) / statistics.median(one.p99 for one in before)
    report.tell("p50 of the feed before", spread((one.median for one in before), "ms"))
    report.tell("p50 of the feed during", spread((one.median for one in during.rounds(_ROUNDS)), "ms"))
    report.tell("p50 of the feed after", spread((one.median for one in after), "ms"))
    report.tell("p99 of the feed before", spread((one.p99 for one in before), "ms"))
    report.tell("p99 of the feed during", spread((one.p99 for one in during.rounds(_ROUNDS)), "ms"))
    report.tell("p99 of the feed after", spread((one.p99 for one in after), "ms"))
    report.tell("p99 of the feed, after to before", f"{p99:.2f}")
    report.should(p99 <= _NOISE, f"the feed's p99 is {p99:.2f} times what it was")
    return report


async def _kept(site: Stand) -> int:
    """Count the connections to services that are open once idle ones have expired."""

    async def has_none() -> bool:
        return site.connections == 0

    if await eventually(has_none, _EXPIRED):
        return 0
    if site.target.is_ours:
        return site.connections
    await site.client.ask(FEED)
    return max(0, site.connections - _KEPT)


async def _read(site: Stand, seconds: float) -> list[Answers]:
    return [await site.client.steadily(repeat(FEED), _FEED_RATE, seconds) for _ in range(_ROUNDS)]
