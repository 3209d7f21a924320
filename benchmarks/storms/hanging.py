"""A service that hangs while everything else is healthy."""

import asyncio
import statistics
from itertools import cycle
from typing import Final

from benchmarks.storms.answers import Answers
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT, FEED
from benchmarks.storms.stand import Stand, Target, eventually, stand

__all__ = ("hanging",)

_RATE: Final = 80
_ROUNDS: Final = 3
_HEALED: Final = 2.0
_AFTER: Final = 4.0
_PATIENCE: Final = 10.0
_REFUSAL_MS: Final = 300
_NOISE: Final = 1.25


async def hanging(target: Target, size: float) -> Report:
    """Let shipping hang for *size* seconds, under 40 checkouts a second, which need it, and as many feeds."""
    report = Report()
    async with stand(target) as site:
        await site.warm_up(FEED, CHECKOUT)
        tasks = await site.tasks()
        before = await _load(site, size / 2)
        await site.services.break_down("shipping", "hang")
        during = await _load(site, size)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_load(site, _AFTER))
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
    whole = max((answer.begun - healed for answer in after.but(200)), default=0.0)
    report.tell("checkouts", during.to((CHECKOUT.name,)).told)
    report.tell("feeds", feeds.told)
    report.tell("median time of a checkout", spread((one.median for one in checkouts), "ms"))
    report.tell("median time of a checkout in the last third", f"{last.median:.0f} ms")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        for when, answers in (("before", usual), ("during", feeds)):
            times = spread((one.quantile(share) for one in answers.rounds(_ROUNDS)), "ms")
            report.tell(f"{name} of the feed {when}", times)
    report.tell("last failure after it healed", f"{whole:.2f} s")
    report.must(not feeds.but(200), f"feeds were answered with {feeds.told}")
    allowed = during.to((CHECKOUT.name,)).but(503, 504)
    report.must(not allowed, f"checkouts were answered with {allowed.told}")
    report.must(not later.but(200), f"from 2 s after it healed, the answers were {later.told}")
    report.should(last.median <= _REFUSAL_MS, f"a checkout that cannot be answered took {last.median:.0f} ms")
    usually = [one.p99 for one in usual.rounds(_ROUNDS)]
    ratio = statistics.median(one.p99 for one in feeds.rounds(_ROUNDS)) / statistics.median(usually)
    noise = _NOISE * max(usually) / min(usually)
    report.should(
        ratio <= noise, f"the feed's p99 was {ratio:.2f} times what it was, where noise is {noise:.2f}"
    )
    return report


async def _load(site: Stand, seconds: float) -> Answers:
    return await site.client.steadily(cycle((CHECKOUT, FEED)), _RATE, seconds)
