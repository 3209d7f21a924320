"""Two hundred thousand requests, and what memory they leave in use."""

import math
from itertools import cycle
from typing import Final

from benchmarks.storms.answers import NONE
from benchmarks.storms.report import Report
from benchmarks.storms.request import (
    CHECKOUT,
    FEED,
    REFUSED_CHECKOUT,
    REFUSED_ORDER,
    UNKNOWN,
    WRONG_CHECKOUT,
    transfers,
)
from benchmarks.storms.stand import PLAIN, Target, eventually, stand

__all__ = ("memory",)

_WORKERS: Final = 48
_WARM_UP: Final = 0.05
_PLAIN_SECONDS_PER_REQUEST: Final = 240 / 200_000
_GROWTH: Final = 1.05
_ALWAYS_MIB: Final = 4.0
_PATIENCE: Final = 10.0


async def memory(target: Target, size: float) -> Report:
    """Make *size* requests, of which some succeed, most are refused and a few are left.

    They are made as fast as they are answered. Plain FastAPI has four minutes for 200 000.
    """
    report = Report()
    limit = size * _PLAIN_SECONDS_PER_REQUEST / 2 if target is PLAIN else math.inf
    requests = cycle(
        (
            CHECKOUT,
            *(UNKNOWN, WRONG_CHECKOUT) * 4,
            FEED,
            REFUSED_ORDER,
            *(UNKNOWN, WRONG_CHECKOUT) * 4,
            REFUSED_CHECKOUT,
            next(transfers()),
            CHECKOUT.leaving(0.08),
        )
    )
    async with stand(target) as site:
        warm = await site.client.busily(requests, _WORKERS, limit, max(500, round(size * _WARM_UP)))
        tasks, seen = await site.tasks(), [site.process.resident]
        done = len(warm)
        for _ in range(2):
            half = await site.client.busily(requests, _WORKERS, limit, round(size / 2))
            done += len(half)
            seen.append(site.process.resident)
            report.must(not half.of(NONE, 500, 502), f"the answers were {half.told}")

        async def is_idle() -> bool:
            return await site.tasks() <= tasks

        report.must(await eventually(is_idle, _PATIENCE), f"{await site.tasks() - tasks} tasks are left")
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    start, middle, end = seen
    report.tell("requests", f"{done}")
    report.tell(
        "memory at the start, in the middle and at the end", f"{start:.0f}, {middle:.0f}, {end:.0f} MiB"
    )
    report.must(
        end <= max(middle * _GROWTH, middle + _ALWAYS_MIB),
        f"memory grew from {middle:.0f} to {end:.0f} MiB in the second half",
    )
    return report
