"""A service that alternates between a healthy second and a second of dropped connections."""

import asyncio
import statistics
from collections.abc import Sequence
from itertools import repeat
from typing import Final

from benchmarks.storms.client.outcomes import Outcomes
from benchmarks.storms.client.request import CHECKOUT
from benchmarks.storms.deployment import Deployment, Target, deploy
from benchmarks.storms.report import Report, format_spread

__all__ = ("flapping",)

_RATE: Final = 40
_FLAP: Final = 1.0
_RECOVERY: Final = 2.0
_AFTER: Final = 4.0
_ROUNDS: Final = 3
_RETRY_RATIO: Final = 0.2
_MIN_RETRIES: Final = 10
"""The retry budget of the gateway: a fifth of the calls in the last 10 s, plus ten."""
_WINDOW: Final = 10.0
_MAX_P99_MS: Final = 1500
_BREAKER_DELAY: Final = 0.3
"""Seconds that the circuit breaker may take to close after the service has recovered."""
_TRANSIT: Final = 0.05
"""Seconds to the service and back; a request that is due this shortly before an outage may fail."""
_SHARE: Final = 50
_MIN_SETTLED_RATE: Final = 80
"""Minimum success rates in per cent; on a quiet machine the measured rates are 68 and 94."""


async def flapping(target: Target, size: float) -> Report:
    """Send 40 checkouts per second; for *size* seconds, the inventory service fails in every other second."""
    report = Report()
    async with deploy(target) as deployment:
        await deployment.warm_up(CHECKOUT)
        earlier = (await deployment.services.count_calls("inventory")).total()
        clock = asyncio.get_running_loop().time
        start = clock()
        flaps = max(1, round(size / 2 / _FLAP))
        async with asyncio.TaskGroup() as group:
            flap_task = group.create_task(_flap(deployment, flaps))
            load_task = group.create_task(
                deployment.client.send_at_rate(repeat(CHECKOUT), _RATE, flaps * 2 * _FLAP + _AFTER)
            )
        (spans, healed), storm = flap_task.result(), load_task.result()
        calls = (await deployment.services.count_calls("inventory")).total() - earlier
        report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")

    flapped, later = storm.between(start, healed), storm.between(healed + _RECOVERY)
    succeeded, refused = flapped.with_status(200), flapped.with_status(503)
    shares = [_share(storm.between(since, until - _TRANSIT)) for since, until in spans]
    settled = [_share(storm.between(since + _BREAKER_DELAY, until - _TRANSIT)) for since, until in spans]
    failed = max((outcome.due - healed for outcome in storm.between(healed).without_status(200)), default=0.0)
    retries = _RETRY_RATIO * len(storm) + _MIN_RETRIES * (1 + len(storm) / _RATE / _WINDOW)
    report.add("outcomes", storm.summary)
    report.add("success rate in healthy seconds", format_spread(shares, "%"))
    report.add("success rate from 0.3 s into each healthy second", format_spread(settled, "%"))
    report.add(
        "median response time of a 503", format_spread((part.median for part in refused.split(_ROUNDS)), "ms")
    )
    report.add("p99 of a success", format_spread((part.p99 for part in succeeded.split(_ROUNDS)), "ms"))
    report.add("calls to the service per request", f"{calls / len(storm):.2f}")
    report.add("last failure after recovery", f"{failed:.2f} s")
    report.require(not storm.without_status(200, 503), f"the outcomes were {storm.summary}")
    report.require(
        not later.without_status(200), f"the outcomes from 2 s after recovery were {later.summary}"
    )
    report.require(
        calls <= len(storm) + retries, f"{len(storm)} requests made {calls} calls to the inventory service"
    )
    mean, later_mean = statistics.mean(shares), statistics.mean(settled)
    report.require(mean >= _SHARE, f"in healthy seconds, {mean:.0f}% of checkouts succeeded")
    report.require(
        later_mean >= _MIN_SETTLED_RATE,
        f"from 0.3 s into each healthy second, {later_mean:.0f}% of checkouts succeeded",
    )
    report.expect(storm.p99 <= _MAX_P99_MS, f"the p99 of all response times was {storm.p99:.0f} ms")
    return report


def _share(outcomes: Outcomes) -> float:
    return 100 * len(outcomes.with_status(200)) / max(1, len(outcomes))


async def _flap(deployment: Deployment, times: int) -> tuple[Sequence[tuple[float, float]], float]:
    """Let the inventory service be healthy for a second and then fail for a second, *times* times.

    Return the healthy spans, and the time of the last recovery.
    """
    clock = asyncio.get_running_loop().time
    start = healed = clock()
    spans: list[tuple[float, float]] = []
    for flap in range(times):
        await asyncio.sleep(start + (2 * flap + 1) * _FLAP - clock())
        spans.append((healed, clock()))
        await deployment.services.inject_fault("inventory", "drop")
        await asyncio.sleep(start + (2 * flap + 2) * _FLAP - clock())
        await deployment.services.clear_faults("inventory")
        healed = clock()
    return spans, healed
