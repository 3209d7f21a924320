"""Orders that are cancelled by a failed call or by the client, with concurrent feeds."""

import asyncio
import statistics
from itertools import chain, cycle, repeat
from typing import Final

from benchmarks.storms.client.outcomes import DISCONNECTED, Outcomes
from benchmarks.storms.client.request import CHECKOUT, FEED, REFUSED_ORDER
from benchmarks.storms.deployment import Deployment, Target, deploy, wait_until
from benchmarks.storms.report import Report, format_spread

__all__ = ("cancelled",)

_RATE: Final = 150
_FEED_RATE: Final = 40
_ROUNDS: Final = 3
_LONGEST_ROUND: Final = 15.0
_ROUNDS_PER_SIZE: Final = 600
_IDLE_TIMEOUT: Final = 10.0
_KEEP_ALIVE_LIMIT: Final = 12.0
"""Seconds to wait for idle connections to be closed; the gateway closes them within 8 s, httpx after 5 s."""
_FEED_CONNECTIONS: Final = 4
"""Number of connections that the calls of a feed open.

httpx closes idle connections only when the next request is sent, so the check sends a feed.
"""
_MAX_RATIO: Final = 1.5


async def cancelled(target: Target, size: float) -> Report:
    """Cancel *size* orders, half of them by a failing concurrent call and half by a disconnecting client.

    The user service responds with 404 after 50 ms, and the inventory service would respond after 400 ms.
    Clients disconnect after 25 ms.
    """
    report = Report()
    quiet = min(_LONGEST_ROUND, max(2.0, size / _ROUNDS_PER_SIZE))
    async with deploy(target) as deployment:
        await deployment.warm_up(FEED, REFUSED_ORDER, CHECKOUT)
        before = await _measure_feed(deployment, quiet)
        tasks = await deployment.count_tasks()
        await deployment.services.inject_fault("inventory", "latency", "/inventory", latency_ms=400)
        async with asyncio.TaskGroup() as group:
            orders = cycle((REFUSED_ORDER, REFUSED_ORDER.with_disconnect(0.025)))
            storm_task = group.create_task(deployment.client.send_at_rate(orders, _RATE, size / _RATE))
            feed_task = group.create_task(
                deployment.client.send_at_rate(repeat(FEED), _FEED_RATE, max(quiet, size / _RATE))
            )
        storm, during = storm_task.result(), feed_task.result()
        await deployment.services.clear_faults("inventory")
        after = await _measure_feed(deployment, quiet)

        report.add("outcomes of the cancelled orders", storm.summary)
        report.require(
            not storm.without_status(404, DISCONNECTED),
            f"the outcomes of the cancelled orders were {storm.summary}",
        )
        report.require(
            not during.imperfect, f"the outcomes of the feed during the storm were {during.summary}"
        )

        async def is_idle() -> bool:
            return await deployment.count_tasks() <= tasks

        await wait_until(is_idle, _IDLE_TIMEOUT)
        left, idle, open_breakers = (
            await deployment.count_tasks() - tasks,
            await _count_idle_connections(deployment),
            await deployment.find_open_breakers(),
        )
        burst = await deployment.send_burst()
        report.add("asyncio tasks left", f"{left}")
        report.require(left <= 0, f"{left} asyncio tasks are left")
        report.add("idle connections to services that were not closed", f"{idle}")
        report.require(not idle, f"{idle} idle connections to services were not closed")
        report.add("100 concurrent checkouts afterwards", burst.summary)
        report.require(
            not burst.without_status(200),
            f"the outcomes of 100 concurrent checkouts afterwards were {burst.summary}",
        )
        report.require(not open_breakers, f"circuit breakers are open: {', '.join(open_breakers)}")
        report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")

    report.require(
        not Outcomes(chain(*before, *after)).imperfect, "the feed was incomplete before or after the storm"
    )
    p99 = statistics.median(part.p99 for part in after) / statistics.median(part.p99 for part in before)
    report.add("p50 of the feed before", format_spread((part.median for part in before), "ms"))
    report.add("p50 of the feed during", format_spread((part.median for part in during.split(_ROUNDS)), "ms"))
    report.add("p50 of the feed after", format_spread((part.median for part in after), "ms"))
    report.add("p99 of the feed before", format_spread((part.p99 for part in before), "ms"))
    report.add("p99 of the feed during", format_spread((part.p99 for part in during.split(_ROUNDS)), "ms"))
    report.add("p99 of the feed after", format_spread((part.p99 for part in after), "ms"))
    report.add("p99 of the feed, ratio of after to before", f"{p99:.2f}")
    report.expect(p99 <= _MAX_RATIO, f"the feed's p99 after the storm is {p99:.2f} times its p99 before")
    return report


async def _count_idle_connections(deployment: Deployment) -> int:
    """Wait until idle connections to services should be closed; return the number that are still open."""

    async def has_none() -> bool:
        return deployment.connections == 0

    if await wait_until(has_none, _KEEP_ALIVE_LIMIT):
        return 0
    if deployment.target.is_gateway:
        return deployment.connections
    await deployment.client.send(FEED)
    return max(0, deployment.connections - _FEED_CONNECTIONS)


async def _measure_feed(deployment: Deployment, seconds: float) -> list[Outcomes]:
    return [await deployment.client.send_at_rate(repeat(FEED), _FEED_RATE, seconds) for _ in range(_ROUNDS)]
