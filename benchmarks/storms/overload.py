"""Twice as many checkouts as can be answered."""

import statistics
import time
from itertools import repeat
from typing import Final

from benchmarks.storms.capacity import Capacity, capacity, goodputs, served
from benchmarks.storms.report import Figure, Report, spread
from benchmarks.storms.request import CHECKOUT
from benchmarks.storms.stand import Stand, Target, stand

__all__ = ("overload",)

_WORKERS: Final = (16, 32, 64, 96, 128, 192)
_ALL: Final = "4096"
"""More than are ever sent at once while capacity is measured, so that no limit of the gateway is in it."""
_LIMITS: Final = (128, 256)
"""How many requests the gateway lets in at a time: a number for this machine, and its default."""
_ROUNDS: Final = 3
_LONGEST_SAMPLE: Final = 4.0
_LIGHT_RATE: Final = 20
_OFFERED: Final = 1.9
_LATE_MS: Final = 25
_SHARE: Final = 0.8
_SHARE_ANYHOW: Final = 0.5
_REFUSAL_MS: Final = 50
_NOISE: Final = 1.5


async def overload(target: Target, size: float) -> Report:
    """Find out how many checkouts a second are answered, then offer twice that for *size* seconds.

    The first with as many at any time as are best, each sent when another is answered; the second whether or
    not any is, and of the gateway with each of two limits of requests in flight, of which the first is held
    to times. Plain FastAPI has no such limit.
    """
    report = Report()
    sample = min(_LONGEST_SAMPLE, max(1.5, size / 10))
    async with stand(target, GATEWAY_MAX_IN_FLIGHT=_ALL) as site:
        await site.warm_up(CHECKOUT)
        found = await capacity(site.client, _WORKERS, sample)
    # Anew: a target that was asked by more than it can bear may not have got over it.
    async with stand(target, GATEWAY_MAX_IN_FLIGHT=_ALL) as site:
        await site.warm_up(CHECKOUT)
        found = await capacity(site.client, (found.workers,), sample)
    report.tell("capacity", f"{spread(found.rounds, 'a second')}, {found.workers} at a time")
    for limit in _LIMITS if target.is_ours else _LIMITS[:1]:
        async with stand(target, GATEWAY_MAX_IN_FLIGHT=f"{limit}") as site:
            await site.warm_up(CHECKOUT)
            shown = await _storm(site, found, size)
        which = "" if limit == _LIMITS[0] else f"with {limit}, "
        report.figures.extend(Figure(which + name, value) for name, value in shown.figures)
        report.broken.extend(which + sentence for sentence in shown.broken)
        report.slow.extend(sentence for sentence in shown.slow if not which)
    return report


async def _storm(site: Stand, found: Capacity, size: float) -> Report:
    report = Report()
    most = max(1.0, statistics.median(found.rounds))
    quiet = max(2.0, size / 10)
    light = await site.client.steadily(repeat(CHECKOUT), _LIGHT_RATE, quiet)
    begun = time.monotonic(), time.process_time(), site.process.worked, site.services.worked
    storm = await site.client.steadily(repeat(CHECKOUT), 2 * most, size)
    ended = time.monotonic(), time.process_time(), site.process.worked, site.services.worked
    seconds, *worked = (after - before for before, after in zip(begun, ended, strict=True))
    after = await site.client.steadily(repeat(CHECKOUT), _LIGHT_RATE, quiet)
    again = await served(site.client, min(found.workers, *_LIMITS), quiet)

    refused, rates = storm.of(503, 429), goodputs(storm, size, _ROUNDS)
    goodput, offered = sum(rates) / _ROUNDS, len(storm.sent_by(storm.start + size)) / size
    busy = ", ".join(f"{one / seconds:.0%}" for one in worked)
    report.tell("goodput at twice that", spread(rates, "a second"))
    report.tell("of capacity", f"{goodput / most:.0%}")
    report.tell("answers", storm.told)
    report.tell("median time of a refusal", spread((one.median for one in refused.rounds(_ROUNDS)), "ms"))
    report.tell("p99 of a success", spread((one.p99 for one in storm.of(200).rounds(_ROUNDS)), "ms"))
    report.tell("offered, and sent late, p99", f"{offered:.0f} a second, {storm.late:.0f} ms")
    report.tell("CPU of the client, the target and all services", busy)
    report.tell("capacity after it", f"{again:.0f} a second")
    report.tell("median before and after", f"{light.median:.0f} ms, {after.median:.0f} ms")
    report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")
    report.must(not storm.but(200, 503, 429), f"twice the capacity was answered with {storm.told}")
    report.must(bool(refused), "nothing was refused")
    least = min(most, again)  # the machine may be busier than it was
    report.must(goodput >= _SHARE_ANYHOW * least, f"goodput was {goodput:.0f} a second, of {least:.0f}")
    report.must(not after.but(200), f"afterwards, the answers were {after.told}")
    report.should(
        storm.late <= _LATE_MS and offered >= _OFFERED * most,
        f"not a valid run: {offered / most:.2f} times the capacity was offered, {storm.late:.0f} ms late",
    )
    report.should(goodput >= _SHARE * most, f"goodput was {goodput / most:.0%} of capacity")
    report.should(not refused or refused.median <= _REFUSAL_MS, f"a refusal took {refused.median:.0f} ms")
    report.should(
        after.median <= _NOISE * light.median,
        f"afterwards a checkout took {after.median:.0f} ms, and {light.median:.0f} ms before",
    )
    return report
