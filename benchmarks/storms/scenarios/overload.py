"""Checkouts at twice the capacity."""

import statistics
import time
from itertools import repeat
from typing import Final

from benchmarks.storms.client.capacity import (
    Capacity,
    goodput_per_round,
    measure_capacity,
    measure_throughput,
)
from benchmarks.storms.client.request import CHECKOUT
from benchmarks.storms.deployment import Deployment, Target, deploy
from benchmarks.storms.report import Figure, Report, format_spread

__all__ = ("overload",)

_WORKERS: Final = (16, 32, 64, 96, 128, 192)
_UNLIMITED: Final = "4096"
"""More than the requests in flight during the measurement of capacity, so that the limit has no effect."""
_LIMITS: Final = (128, 256)
"""Limits of requests in flight: one that suits the benchmark machine, and the default."""
_ROUNDS: Final = 3
_LONGEST_SAMPLE: Final = 4.0
_LIGHT_RATE: Final = 20
_MIN_OFFERED: Final = 1.9
_MAX_LATENESS_MS: Final = 25
_SHARE: Final = 0.8
_MIN_GOODPUT: Final = 0.5
_GOOD_REJECTION_MS: Final = 50
_MAX_RATIO: Final = 1.5


async def overload(target: Target, size: float) -> Report:
    """Measure the capacity in checkouts per second, then send twice that rate for *size* seconds.

    The capacity is measured in a closed loop with the best number of workers, the storm is an open loop. The
    gateway runs with two limits of requests in flight; slow results are reported for the first limit only.
    Plain FastAPI has no such limit.
    """
    report = Report()
    sample = min(_LONGEST_SAMPLE, max(1.5, size / 10))
    async with deploy(target, GATEWAY_MAX_IN_FLIGHT=_UNLIMITED) as deployment:
        await deployment.warm_up(CHECKOUT)
        found = await measure_capacity(deployment.client, _WORKERS, sample)
    # A new deployment: the target may not have recovered from too many workers.
    async with deploy(target, GATEWAY_MAX_IN_FLIGHT=_UNLIMITED) as deployment:
        await deployment.warm_up(CHECKOUT)
        found = await measure_capacity(deployment.client, (found.workers,), sample)
    report.add("capacity", f"{format_spread(found.rounds, 'per second')}, {found.workers} at a time")
    for limit in _LIMITS if target.is_gateway else _LIMITS[:1]:
        async with deploy(target, GATEWAY_MAX_IN_FLIGHT=f"{limit}") as deployment:
            await deployment.warm_up(CHECKOUT)
            result = await _run_storm(deployment, found, size)
        prefix = "" if limit == _LIMITS[0] else f"with {limit}, "
        report.figures.extend(Figure(prefix + name, value) for name, value in result.figures)
        report.failures.extend(prefix + sentence for sentence in result.failures)
        report.slow_results.extend(sentence for sentence in result.slow_results if not prefix)
    return report


async def _run_storm(deployment: Deployment, found: Capacity, size: float) -> Report:
    report = Report()
    capacity = max(1.0, statistics.median(found.rounds))
    quiet = max(2.0, size / 10)
    light = await deployment.client.send_at_rate(repeat(CHECKOUT), _LIGHT_RATE, quiet)
    begun = (
        time.monotonic(),
        time.process_time(),
        deployment.process.cpu_seconds,
        deployment.services.cpu_seconds,
    )
    storm = await deployment.client.send_at_rate(repeat(CHECKOUT), 2 * capacity, size)
    ended = (
        time.monotonic(),
        time.process_time(),
        deployment.process.cpu_seconds,
        deployment.services.cpu_seconds,
    )
    duration, *cpu_seconds = (after - before for before, after in zip(begun, ended, strict=True))
    after = await deployment.client.send_at_rate(repeat(CHECKOUT), _LIGHT_RATE, quiet)
    capacity_after = await measure_throughput(deployment.client, min(found.workers, *_LIMITS), quiet)

    refused, rates = storm.with_status(503, 429), goodput_per_round(storm, size, _ROUNDS)
    goodput, offered = sum(rates) / _ROUNDS, len(storm.sent_by(storm.start + size)) / size
    cpu_shares = ", ".join(f"{seconds / duration:.0%}" for seconds in cpu_seconds)
    report.add("goodput at twice the capacity", format_spread(rates, "per second"))
    report.add("goodput in relation to capacity", f"{goodput / capacity:.0%}")
    report.add("outcomes", storm.summary)
    report.add(
        "median response time of a rejection",
        format_spread((part.median for part in refused.split(_ROUNDS)), "ms"),
    )
    report.add(
        "p99 of a success", format_spread((part.p99 for part in storm.with_status(200).split(_ROUNDS)), "ms")
    )
    report.add("offered load, and p99 lateness", f"{offered:.0f} per second, {storm.p99_lateness:.0f} ms")
    report.add("CPU of the client, the target and all services", cpu_shares)
    report.add("capacity afterwards", f"{capacity_after:.0f} per second")
    report.add("median response time before and after", f"{light.median:.0f} ms, {after.median:.0f} ms")
    report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")
    report.require(
        not storm.without_status(200, 503, 429), f"the outcomes at twice the capacity were {storm.summary}"
    )
    report.require(bool(refused), "no request was rejected")
    least = min(capacity, capacity_after)  # the machine may be busier than before
    report.require(
        goodput >= _MIN_GOODPUT * least,
        f"goodput was {goodput:.0f} per second, less than half of the capacity of {least:.0f}",
    )
    report.require(not after.without_status(200), f"the outcomes afterwards were {after.summary}")
    report.expect(
        storm.p99_lateness <= _MAX_LATENESS_MS and offered >= _MIN_OFFERED * capacity,
        f"invalid run: the load was {offered / capacity:.2f} times the capacity, "
        f"with a p99 lateness of {storm.p99_lateness:.0f} ms",
    )
    report.expect(goodput >= _SHARE * capacity, f"goodput was {goodput / capacity:.0%} of capacity")
    report.expect(
        not refused or refused.median <= _GOOD_REJECTION_MS,
        f"the median response time of a rejection was {refused.median:.0f} ms",
    )
    report.expect(
        after.median <= _MAX_RATIO * light.median,
        f"the median response time was {after.median:.0f} ms afterwards and {light.median:.0f} ms before",
    )
    return report
