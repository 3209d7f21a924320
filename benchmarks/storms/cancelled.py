"""Ten thousand fail-fast requests that are cancelled, beside somebody who reads the feed."""

import asyncio
import statistics
from itertools import cycle, repeat
from typing import Final

from benchmarks.storms.answers import LEFT, Answers
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT, FEED, REFUSED_ORDER
from benchmarks.storms.stand import Stand, Target, eventually, stand

__all__ = ("cancelled",)

_RATE: Final = 150
_FEED_RATE: Final = 20
_ROUNDS: Final = 2
_LONGEST_ROUND: Final = 15.0
_ROUNDS_PER_SIZE: Final = 600
_PATIENCE: Final = 10.0
_MORE_CONNECTIONS: Final = 20
"""How many more than before may be open: the feed has sometimes more, sometimes fewer."""
_NOISE: Final = 1.25


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
        tasks, connections = await site.tasks(), site.connections
        await site.services.break_down("inventory", "latency", "/inventory", latency_ms=400)
        async with asyncio.TaskGroup() as group:
            orders = cycle((REFUSED_ORDER, REFUSED_ORDER.leaving(0.025)))
            storming = group.create_task(site.client.steadily(orders, _RATE, size / _RATE))
            reading = group.create_task(
                site.client.steadily(repeat(FEED), _FEED_RATE, max(quiet, size / _RATE))
            )
        storm, during = storming.result(), reading.result()
        await site.services.heal("inventory")
        burst = await site.burst()
        after = await _read(site, quiet)

        report.tell("answers to what was cancelled", storm.told)
        report.must(not storm.but(404, LEFT), f"what was cancelled was answered with {storm.told}")
        report.must(not during.but(200), f"the feed was answered with {during.told} during the storm")
        report.tell("a hundred checkouts at once after it", burst.told)
        report.must(not burst.but(200), f"a hundred checkouts at once after it came to {burst.told}")

        async def is_idle() -> bool:
            return await site.tasks() <= tasks and site.connections <= connections + _MORE_CONNECTIONS

        await eventually(is_idle, _PATIENCE)
        left, kept, opened = await site.tasks() - tasks, site.connections, await site.open_breakers()
        report.tell("tasks left", f"{left}")
        report.must(left <= 0, f"{left} tasks are left")
        report.tell("connections to services, before and after", f"{connections}, {kept}")
        report.must(
            kept <= connections + _MORE_CONNECTIONS,
            f"{kept} connections are open; before, {connections} were",
        )
        report.must(not opened, f"breakers are open: {', '.join(opened)}")
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    usual = [one.p99 for one in before]
    p99 = statistics.median(one.p99 for one in after) / statistics.median(usual)
    report.tell("p50 of the feed before", spread((one.median for one in before), "ms"))
    report.tell("p50 of the feed during", spread((one.median for one in during.rounds(_ROUNDS)), "ms"))
    report.tell("p50 of the feed after", spread((one.median for one in after), "ms"))
    report.tell("p99 of the feed before", spread(usual, "ms"))
    report.tell("p99 of the feed during", spread((one.p99 for one in during.rounds(_ROUNDS)), "ms"))
    report.tell("p99 of the feed after", spread((one.p99 for one in after), "ms"))
    noise = _NOISE * max(usual) / min(usual)
    report.should(p99 <= noise, f"the feed's p99 is {p99:.2f} times what it was, where noise is {noise:.2f}")
    return report


async def _read(site: Stand, seconds: float) -> list[Answers]:
    return [await site.client.steadily(repeat(FEED), _FEED_RATE, seconds) for _ in range(_ROUNDS)]
