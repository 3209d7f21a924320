"""A service that hangs while everything else is healthy."""

import asyncio
import statistics
from itertools import chain, repeat
from typing import Final

from benchmarks.storms.answers import Answers
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT, FEED
from benchmarks.storms.stand import Stand, Target, eventually, stand

__all__ = ("hanging",)

_FEEDS: Final = 40
_USUALLY: Final = 40
_CHECKOUTS: Final = 150
"""More than httpx's stock pool has connections are with shipping, when each waits for a second."""
_ROUNDS: Final = 3
_HEALED: Final = 2.0
_AFTER: Final = 4.0
_PATIENCE: Final = 10.0
_REFUSAL_MS: Final = 300
_REFUSAL_ANYHOW_MS: Final = 500
_NOISE: Final = 1.5
_DEADLINE: Final = 5.0
"""Seconds that the gateway has for a request."""


async def hanging(target: Target, size: float) -> Report:
    """Let shipping hang for *size* seconds, under 150 checkouts a second, which need it, and 40 feeds.

    Before and after there are 40 checkouts a second, which plain FastAPI can answer as well.
    """
    report = Report()
    async with stand(target) as site:
        await site.warm_up(FEED, CHECKOUT)
        tasks = await site.tasks()
        before = await _load(site, _USUALLY, size / 2)
        await site.services.break_down("shipping", "hang")
        during = await _load(site, _CHECKOUTS, size)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_load(site, _USUALLY, _AFTER))
            await site.services.heal("shipping")
            healed = asyncio.get_running_loop().time()
        after = asking.result()

        async def is_idle() -> bool:
            return await site.tasks() <= tasks

        report.must(await eventually(is_idle, _PATIENCE), f"{await site.tasks() - tasks} tasks are left")
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    usual, feeds = before.to((FEED.name,)), during.to((FEED.name,))
    checkouts = during.to((CHECKOUT.name,)).rounds(_ROUNDS)
    last = checkouts[-1]
    later = after.between(healed + _HEALED)
    failed = max((answer.begun - healed for answer in after.unwell), default=0.0)
    report.tell("checkouts", during.to((CHECKOUT.name,)).told)
    report.tell("feeds", feeds.told)
    report.tell("median time of a checkout", spread((one.median for one in checkouts), "ms"))
    report.tell("median time of a checkout in the last third", f"{last.median:.0f} ms")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        for when, answers in (("before", usual), ("during", feeds)):
            times = spread((one.quantile(share) for one in answers.rounds(_ROUNDS)), "ms")
            report.tell(f"{name} of the feed {when}", times)
    report.tell("last failure after it healed", f"{failed:.2f} s")
    report.tell("sent late, p99", f"{during.late:.0f} ms")
    report.must(not feeds.unwell, f"feeds were answered with {feeds.told}")
    report.must(
        all(answer.seconds <= _DEADLINE for answer in feeds), f"a feed took {feeds.quantile(1):.0f} ms"
    )
    allowed = during.to((CHECKOUT.name,)).but(503, 504)
    report.must(not allowed, f"checkouts were answered with {allowed.told}")
    report.must(
        last.median <= _REFUSAL_ANYHOW_MS, f"a checkout that cannot be answered took {last.median:.0f} ms"
    )
    report.must(not later.unwell, f"from 2 s after it healed, the answers were {later.told}")
    report.should(last.median <= _REFUSAL_MS, f"a checkout that cannot be answered took {last.median:.0f} ms")
    p50, p99 = (_median(feeds, share) / _median(usual, share) for share in (0.5, 0.99))
    report.tell("p50 and p99 of the feed, during to before", f"{p50:.2f}, {p99:.2f}")
    report.should(p99 <= _NOISE, f"the feed's p99 was {p99:.2f} times what it was")
    return report


def _median(answers: Answers, share: float) -> float:
    return statistics.median(one.quantile(share) for one in answers.rounds(_ROUNDS))


async def _load(site: Stand, checkouts: int, seconds: float) -> Answers:
    """Make so many checkouts a second, and feeds beside them."""
    async with asyncio.TaskGroup() as group:
        loads = [
            group.create_task(site.client.steadily(repeat(request), rate, seconds))
            for request, rate in ((CHECKOUT, checkouts), (FEED, _FEEDS))
        ]
    return Answers(chain.from_iterable(load.result() for load in loads))
