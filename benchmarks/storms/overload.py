"""Twice as many checkouts as can be answered."""

import asyncio
import statistics
from itertools import repeat
from typing import Final

from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT
from benchmarks.storms.stand import Stand, Target, stand

__all__ = ("overload",)

_WORKERS: Final = (16, 32, 64, 128)
_AT_A_TIME: Final = "128"
"""How many the gateway lets in: half as many again as are under way when it answers as many as it can."""
_STILL_GROWING: Final = 1.05
_PAUSE: Final = 2.0
_ROUNDS: Final = 3
_LIGHT_RATE: Final = 20
_SHARE: Final = 0.8
_REFUSAL_MS: Final = 50
_NOISE: Final = 1.5


async def overload(target: Target, size: float) -> Report:
    """Find out how many checkouts a second are answered, then offer twice that for *size* seconds.

    The first with as many at any time as it takes until more of them are no gain, each sent when another is
    answered; the second whether or not any is.
    """
    report = Report()
    round_seconds = max(2.0, size / 10)
    async with stand(target, GATEWAY_MAX_IN_FLIGHT=_AT_A_TIME) as site:
        await site.warm_up(CHECKOUT)
        light = await site.client.steadily(repeat(CHECKOUT), _LIGHT_RATE, round_seconds)
        workers = await _plateau(site, round_seconds)
        capacities = [await _served(site, workers, round_seconds) for _ in range(_ROUNDS)]
        capacity = statistics.median(capacities)
        worked = site.process.worked, site.services.worked
        storm = await site.client.steadily(repeat(CHECKOUT), 2 * capacity, size)
        busy, mocks = site.process.worked - worked[0], site.services.worked - worked[1]
        after = await site.client.steadily(repeat(CHECKOUT), _LIGHT_RATE, round_seconds)
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    served, refused = storm.of(200), storm.of(503, 429)
    seconds = max(answer.begun + answer.seconds for answer in storm) - min(answer.begun for answer in storm)
    goodputs = [len(answers.of(200)) / (seconds / _ROUNDS) for answers in storm.rounds(_ROUNDS)]
    report.tell("capacity", f"{spread(capacities, 'a second')}, {workers} at a time")
    report.tell("goodput at twice that", spread(goodputs, "a second"))
    report.tell("of capacity", f"{len(served) / seconds / capacity:.0%}")
    report.tell("answers", storm.told)
    report.tell("median time of a refusal", spread((one.median for one in refused.rounds(_ROUNDS)), "ms"))
    report.tell("p99 of a success", spread((one.p99 for one in served.rounds(_ROUNDS)), "ms"))
    report.tell("sent late, p99", f"{storm.late:.0f} ms")
    report.tell("CPU of the target, and of all services", f"{busy / seconds:.0%}, {mocks / seconds:.0%}")
    report.tell("median before and after", f"{light.median:.0f} ms, {after.median:.0f} ms")
    report.must(not storm.but(200, 503, 429), f"twice the capacity was answered with {storm.told}")
    report.must(not after.but(200), f"afterwards, the answers were {after.told}")
    report.should(
        len(served) / seconds >= _SHARE * capacity,
        f"goodput was {len(served) / seconds / capacity:.0%} of capacity",
    )
    report.should(not refused or refused.median <= _REFUSAL_MS, f"a refusal took {refused.median:.0f} ms")
    report.should(
        after.median <= _NOISE * light.median,
        f"afterwards a checkout took {after.median:.0f} ms, and {light.median:.0f} ms before",
    )
    return report


async def _plateau(site: Stand, seconds: float) -> int:
    """Find how many workers are worth having."""
    best, most = _WORKERS[0], 0.0
    for workers in _WORKERS:
        served = await _served(site, workers, seconds)
        await asyncio.sleep(_PAUSE)
        if served < most * _STILL_GROWING:
            break
        best, most = workers, served
    return best


async def _served(site: Stand, workers: int, seconds: float) -> float:
    """Give how many checkouts a second so many workers get."""
    answers = await site.client.busily(repeat(CHECKOUT), workers, seconds)
    return len(answers.of(200)) / seconds
