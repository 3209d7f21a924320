"""A hanging service while all others are healthy."""

import asyncio
import statistics
from itertools import chain, repeat
from typing import Final

from benchmarks.storms.client.outcomes import Outcomes
from benchmarks.storms.client.request import CHECKOUT, FEED
from benchmarks.storms.deployment import Deployment, Target, deploy, wait_until
from benchmarks.storms.report import Report, format_spread

__all__ = ("hanging",)

_FEED_RATE: Final = 40
_NORMAL_CHECKOUTS: Final = 40
_CHECKOUTS: Final = 150
"""Checkouts per second that exhaust httpx's default pool while each call to shipping waits for a second."""
_ROUNDS: Final = 3
_RECOVERY: Final = 2.0
_AFTER: Final = 4.0
_IDLE_TIMEOUT: Final = 10.0
_GOOD_REJECTION_MS: Final = 300
_MAX_REJECTION_MS: Final = 500
_MAX_RATIO: Final = 1.5
_DEADLINE: Final = 5.0
"""The deadline of a request in the gateway, in seconds."""


async def hanging(target: Target, size: float) -> Report:
    """Hang the shipping service for *size* seconds, under 150 checkouts and 40 feeds per second.

    Before and after that there are 40 checkouts per second, which plain FastAPI can handle as well.
    """
    report = Report()
    async with deploy(target) as deployment:
        await deployment.warm_up(FEED, CHECKOUT)
        tasks = await deployment.count_tasks()
        before = await _load(deployment, _NORMAL_CHECKOUTS, size / 2)
        await deployment.services.inject_fault("shipping", "hang")
        during = await _load(deployment, _CHECKOUTS, size)
        async with asyncio.TaskGroup() as group:
            load_task = group.create_task(_load(deployment, _NORMAL_CHECKOUTS, _AFTER))
            await deployment.services.clear_faults("shipping")
            healed = asyncio.get_running_loop().time()
        after = load_task.result()

        async def is_idle() -> bool:
            return await deployment.count_tasks() <= tasks

        report.require(
            await wait_until(is_idle, _IDLE_TIMEOUT),
            f"{await deployment.count_tasks() - tasks} asyncio tasks are left",
        )
        report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")

    usual, feeds = before.of_requests((FEED.name,)), during.of_requests((FEED.name,))
    checkouts = during.of_requests((CHECKOUT.name,)).split(_ROUNDS)
    last = checkouts[-1]
    later = after.between(healed + _RECOVERY)
    failed = max((outcome.due - healed for outcome in after.imperfect), default=0.0)
    report.add("checkouts", during.of_requests((CHECKOUT.name,)).summary)
    report.add("feeds", feeds.summary)
    report.add("median response time of a checkout", format_spread((part.median for part in checkouts), "ms"))
    report.add("median response time of a checkout in the last third", f"{last.median:.0f} ms")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        for when, outcomes in (("before", usual), ("during", feeds)):
            times = format_spread((part.quantile(share) for part in outcomes.split(_ROUNDS)), "ms")
            report.add(f"{name} of the feed {when}", times)
    report.add("last failure after recovery", f"{failed:.2f} s")
    report.add("p99 lateness", f"{during.p99_lateness:.0f} ms")
    report.require(not feeds.imperfect, f"the outcomes of feeds were {feeds.summary}")
    report.require(
        all(outcome.seconds <= _DEADLINE for outcome in feeds), f"a feed took {feeds.quantile(1):.0f} ms"
    )
    allowed = during.of_requests((CHECKOUT.name,)).without_status(503, 504)
    report.require(not allowed, f"the outcomes of checkouts included {allowed.summary}")
    report.require(
        last.median <= _MAX_REJECTION_MS, f"the median response time of a checkout was {last.median:.0f} ms"
    )
    report.require(not later.imperfect, f"the outcomes from 2 s after recovery were {later.summary}")
    report.expect(
        last.median <= _GOOD_REJECTION_MS, f"the median response time of a checkout was {last.median:.0f} ms"
    )
    p50, p99 = (_median(feeds, share) / _median(usual, share) for share in (0.5, 0.99))
    report.add("p50 and p99 of the feed, ratio of during to before", f"{p50:.2f}, {p99:.2f}")
    report.expect(p99 <= _MAX_RATIO, f"the feed's p99 during the fault was {p99:.2f} times its p99 before")
    return report


def _median(outcomes: Outcomes, share: float) -> float:
    return statistics.median(part.quantile(share) for part in outcomes.split(_ROUNDS))


async def _load(deployment: Deployment, checkouts: int, seconds: float) -> Outcomes:
    """Send *checkouts* per second, and feeds concurrently."""
    async with asyncio.TaskGroup() as group:
        loads = [
            group.create_task(deployment.client.send_at_rate(repeat(request), rate, seconds))
            for request, rate in ((CHECKOUT, checkouts), (FEED, _FEED_RATE))
        ]
    return Outcomes(chain.from_iterable(load.result() for load in loads))
