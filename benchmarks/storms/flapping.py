"""A service that is healthy in one second and dead in the next."""

import asyncio
import statistics
from collections.abc import Sequence
from itertools import repeat
from typing import Final

from benchmarks.storms.answers import Answers
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT
from benchmarks.storms.stand import Stand, Target, stand

__all__ = ("flapping",)

_RATE: Final = 40
_FLAP: Final = 1.0
_HEALED: Final = 2.0
_AFTER: Final = 4.0
_ROUNDS: Final = 3
_RETRIED: Final = 0.2
_RETRIED_ANYHOW: Final = 10
"""A fifth of the requests of 10 s may have their calls retried, and ten of them anyhow."""
_WINDOW: Final = 10.0
_LONGEST_MS: Final = 1500
_SETTLED: Final = 0.3
"""Seconds of a healthy one that the breaker may take to see it."""
_ASKING: Final = 0.05
"""Seconds that a request takes to come to the service and back: what is due later may find it dead again."""
_SHARE: Final = 50
_SHARE_ONCE_SETTLED: Final = 80
"""Per cent on average; on a quiet machine it is 68 and 94."""


async def flapping(target: Target, size: float) -> Report:
    """Make 40 checkouts a second for *size* seconds, while the inventory is dead in every other of them."""
    report = Report()
    async with stand(target) as site:
        await site.warm_up(CHECKOUT)
        earlier = (await site.services.calls("inventory")).total()
        clock = asyncio.get_running_loop().time
        start = clock()
        flaps = max(1, round(size / 2 / _FLAP))
        async with asyncio.TaskGroup() as group:
            flapper = group.create_task(_flap(site, flaps))
            asking = group.create_task(
                site.client.steadily(repeat(CHECKOUT), _RATE, flaps * 2 * _FLAP + _AFTER)
            )
        (spans, healed), storm = flapper.result(), asking.result()
        calls = (await site.services.calls("inventory")).total() - earlier
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    flapped, later = storm.between(start, healed), storm.between(healed + _HEALED)
    served, refused = flapped.of(200), flapped.of(503)
    shares = [_share(storm.between(since, until - _ASKING)) for since, until in spans]
    settled = [_share(storm.between(since + _SETTLED, until - _ASKING)) for since, until in spans]
    failed = max((answer.begun - healed for answer in storm.between(healed).but(200)), default=0.0)
    retries = _RETRIED * len(storm) + _RETRIED_ANYHOW * (1 + len(storm) / _RATE / _WINDOW)
    report.tell("answers", storm.told)
    report.tell("answered well, in healthy seconds", spread(shares, "%"))
    report.tell("and from 0.3 s into each", spread(settled, "%"))
    report.tell("median time of a 503", spread((one.median for one in refused.rounds(_ROUNDS)), "ms"))
    report.tell("p99 of a success", spread((one.p99 for one in served.rounds(_ROUNDS)), "ms"))
    report.tell("calls to the service a request", f"{calls / len(storm):.2f}")
    report.tell("last failure after it healed", f"{failed:.2f} s")
    report.must(not storm.but(200, 503), f"the answers were {storm.told}")
    report.must(not later.but(200), f"from 2 s after it healed, the answers were {later.told}")
    report.must(calls <= len(storm) + retries, f"{len(storm)} requests made {calls} calls to it")
    mean, later_mean = statistics.mean(shares), statistics.mean(settled)
    report.must(mean >= _SHARE, f"in healthy seconds, {mean:.0f}% were answered well")
    report.must(
        later_mean >= _SHARE_ONCE_SETTLED,
        f"from 0.3 s into each healthy second, {later_mean:.0f}% were answered well",
    )
    report.should(storm.p99 <= _LONGEST_MS, f"the p99 of all answers was {storm.p99:.0f} ms")
    return report


def _share(answers: Answers) -> float:
    return 100 * len(answers.of(200)) / max(1, len(answers))


async def _flap(site: Stand, times: int) -> tuple[Sequence[tuple[float, float]], float]:
    """Give each span in which it was healthy, and when it healed for good."""
    clock = asyncio.get_running_loop().time
    start = healed = clock()
    spans: list[tuple[float, float]] = []
    for flap in range(times):
        await asyncio.sleep(start + (2 * flap + 1) * _FLAP - clock())
        spans.append((healed, clock()))
        await site.services.break_down("inventory", "drop")
        await asyncio.sleep(start + (2 * flap + 2) * _FLAP - clock())
        await site.services.heal("inventory")
        healed = clock()
    return spans, healed
