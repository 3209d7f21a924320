"""Memory use during two hundred thousand requests, the full size of this storm."""

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count, cycle
from typing import Final

from benchmarks.storms.client.outcomes import DISCONNECTED, Outcomes
from benchmarks.storms.client.request import (
    CHECKOUT,
    FEED,
    FOREIGN_PURCHASE,
    INVALID_CHECKOUT,
    PURCHASE,
    REFUSED_CHECKOUT,
    REFUSED_ORDER,
    REFUSED_TRANSFER,
    UNKNOWN_FEED,
    UNKNOWN_PATH,
    Request,
    generate_transfers,
)
from benchmarks.storms.deployment import PLAIN_FASTAPI, Deployment, Target, deploy, wait_until
from benchmarks.storms.report import Report

__all__ = ("memory",)

_WORKERS: Final = 64
_WARM_UP: Final = 0.05
_PARTS: Final = 3
_PLAIN_SECONDS_PER_REQUEST: Final = 180 / 200_000
_GROWTH: Final = 0.03
_MIN_GROWTH_MIB: Final = 3.0
_IDLE_TIMEOUT: Final = 10.0
_FAULT_INTERVAL: Final = 0.5
"""Seconds between two faults."""
_DISCONNECTING_CHECKOUT: Final = CHECKOUT.with_disconnect(0.08)
_MIX: Final = (
    *(CHECKOUT, UNKNOWN_FEED, REFUSED_CHECKOUT, REFUSED_ORDER, REFUSED_TRANSFER),
    *(FEED, FOREIGN_PURCHASE, REFUSED_CHECKOUT, REFUSED_ORDER, UNKNOWN_PATH),
    *(CHECKOUT, UNKNOWN_FEED, REFUSED_CHECKOUT, REFUSED_ORDER, REFUSED_TRANSFER),
    *(_DISCONNECTING_CHECKOUT, FOREIGN_PURCHASE, REFUSED_CHECKOUT, REFUSED_ORDER, INVALID_CHECKOUT),
)
_REQUESTS_PER_WRITE: Final = 500
"""Requests per write: many, because the gateway stores the responses to writes for a day by design."""
_STATUSES: Final[Mapping[str, frozenset[int]]] = {
    CHECKOUT.name: frozenset({200, DISCONNECTED}),
    FEED.name: frozenset({200}),
    UNKNOWN_FEED.name: frozenset({404}),
    REFUSED_CHECKOUT.name: frozenset({404}),
    REFUSED_ORDER.name: frozenset({404}),
    REFUSED_TRANSFER.name: frozenset({409}),
    FOREIGN_PURCHASE.name: frozenset({403}),
    UNKNOWN_PATH.name: frozenset({404}),
    INVALID_CHECKOUT.name: frozenset({422}),
    PURCHASE.name: frozenset({201}),
}
_WRITE_STATUSES: Final = frozenset({201})


async def memory(target: Target, size: float) -> Report:
    """Send *size* requests in a closed loop; on plain FastAPI, stop after three minutes per 200 000 requests.

    Most requests are rejected by a service, some succeed, some clients disconnect, and every 500th request is
    a write. Half of the writes have a key. Twice a second a service drops or hangs a call.
    """
    report = Report()
    limit = size * _PLAIN_SECONDS_PER_REQUEST / _PARTS if target is PLAIN_FASTAPI else math.inf
    requests = _generate_requests()
    async with deploy(target) as deployment:
        fault_task = asyncio.create_task(_inject_faults(deployment))
        warm = await deployment.client.send_with_workers(
            requests, _WORKERS, limit, max(500, round(size * _WARM_UP))
        )
        tasks, seen, parts = await deployment.count_tasks(), [await deployment.measure_memory()], [warm]
        for _ in range(_PARTS):
            part = await deployment.client.send_with_workers(requests, _WORKERS, limit, round(size / _PARTS))
            parts.append(part)
            seen.append(await deployment.measure_memory())
        fault_task.cancel()
        with suppress(asyncio.CancelledError):
            await fault_task

        async def is_idle() -> bool:
            return await deployment.count_tasks() <= tasks

        report.require(
            await wait_until(is_idle, _IDLE_TIMEOUT),
            f"{await deployment.count_tasks() - tasks} asyncio tasks are left",
        )
        report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")

    start, third, later, end = seen
    measured = Outcomes(outcome for part in parts[1:] for outcome in part)
    unexpected = _count_unexpected(measured)
    per_request = (end - third) * 2**20 / max(1, len(parts[2]) + len(parts[3]))
    report.add("requests", f"{len(measured)}")
    report.add("unexpected outcomes", f"{unexpected.total()}")
    report.add(
        "memory at the start and after each third",
        f"{start:.1f}, {third:.1f}, {later:.1f}, {end:.1f} MiB",
    )
    report.add("growth in the last two thirds", f"{per_request:.0f} bytes per request")
    summary = ", ".join(f"{outcome}: {times}" for outcome, times in unexpected.most_common(5))
    report.require(not unexpected, f"unexpected outcomes: {summary}")
    report.require(
        end - third <= max(third * _GROWTH, _MIN_GROWTH_MIB),
        f"memory grew from {third:.1f} to {end:.1f} MiB in the last two thirds",
    )
    return report


def _count_unexpected(outcomes: Outcomes) -> Counter[str]:
    """Count the unexpected statuses, by path and status."""
    return Counter(
        f"{outcome.request.path} {outcome.status}"
        for outcome in outcomes
        if outcome.status not in _STATUSES.get(outcome.request.name, _WRITE_STATUSES)
    )


def _generate_requests() -> Iterator[Request]:
    mix, transfers = cycle(_MIX), generate_transfers()
    for number in count(1):
        if number % _REQUESTS_PER_WRITE:
            yield next(mix)
        elif number % (2 * _REQUESTS_PER_WRITE):
            yield next(transfers).with_key(f"transfer-{number}")
        else:
            yield PURCHASE


async def _inject_faults(deployment: Deployment) -> None:
    """Let several services in turn drop or hang a call, at regular intervals."""
    for name, kind in cycle(
        (("pricing", "drop"), ("social", "hang"), ("shipping", "drop"), ("fraud", "hang"))
    ):
        await asyncio.sleep(_FAULT_INTERVAL)
        await deployment.services.inject_fault(name, kind, times=1)
