"""Two hundred thousand requests, and what memory they leave in use."""

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count, cycle
from typing import Final

from benchmarks.storms.answers import LEFT, Answers
from benchmarks.storms.report import Report
from benchmarks.storms.request import (
    CHECKOUT,
    FEED,
    FOREIGN_PURCHASE,
    PURCHASE,
    REFUSED_CHECKOUT,
    REFUSED_ORDER,
    REFUSED_TRANSFER,
    UNKNOWN,
    UNKNOWN_FEED,
    WRONG_CHECKOUT,
    Request,
    transfers,
)
from benchmarks.storms.stand import PLAIN, Stand, Target, eventually, stand

__all__ = ("memory",)

_WORKERS: Final = 64
_WARM_UP: Final = 0.05
_PARTS: Final = 3
_PLAIN_SECONDS_PER_REQUEST: Final = 180 / 200_000
_GROWTH: Final = 0.03
_ALWAYS_MIB: Final = 3.0
_PATIENCE: Final = 10.0
_TROUBLE: Final = 0.5
"""Seconds from one fault to the next."""
_LEAVING: Final = CHECKOUT.leaving(0.08)
_MIX: Final = (
    *(CHECKOUT, UNKNOWN_FEED, REFUSED_CHECKOUT, REFUSED_ORDER, REFUSED_TRANSFER),
    *(FEED, FOREIGN_PURCHASE, REFUSED_CHECKOUT, REFUSED_ORDER, UNKNOWN),
    *(CHECKOUT, UNKNOWN_FEED, REFUSED_CHECKOUT, REFUSED_ORDER, REFUSED_TRANSFER),
    *(_LEAVING, FOREIGN_PURCHASE, REFUSED_CHECKOUT, REFUSED_ORDER, WRONG_CHECKOUT),
)
_REQUESTS_PER_WRITE: Final = 500
"""Few, as what they came to is kept for a day, on purpose."""
_STATUSES: Final[Mapping[str, frozenset[int]]] = {
    CHECKOUT.name: frozenset({200, LEFT}),
    FEED.name: frozenset({200}),
    UNKNOWN_FEED.name: frozenset({404}),
    REFUSED_CHECKOUT.name: frozenset({404}),
    REFUSED_ORDER.name: frozenset({404}),
    REFUSED_TRANSFER.name: frozenset({409}),
    FOREIGN_PURCHASE.name: frozenset({403}),
    UNKNOWN.name: frozenset({404}),
    WRONG_CHECKOUT.name: frozenset({422}),
    PURCHASE.name: frozenset({201}),
}
_WRITTEN: Final = frozenset({201})


async def memory(target: Target, size: float) -> Report:
    """Make *size* requests, as fast as they are answered. Plain FastAPI has three minutes for 200 000.

    Most are refused by a service, some succeed, some are left by their client, and one in 500 writes, half of
    those under a key. Twice a second a service hangs up or hangs, which a retry makes good.
    """
    report = Report()
    limit = size * _PLAIN_SECONDS_PER_REQUEST / _PARTS if target is PLAIN else math.inf
    requests = _requests()
    async with stand(target) as site:
        troubling = asyncio.create_task(_trouble(site))
        warm = await site.client.busily(requests, _WORKERS, limit, max(500, round(size * _WARM_UP)))
        tasks, seen, parts = await site.tasks(), [await site.resident()], [warm]
        for _ in range(_PARTS):
            part = await site.client.busily(requests, _WORKERS, limit, round(size / _PARTS))
            parts.append(part)
            seen.append(await site.resident())
        troubling.cancel()
        with suppress(asyncio.CancelledError):
            await troubling

        async def is_idle() -> bool:
            return await site.tasks() <= tasks

        report.must(await eventually(is_idle, _PATIENCE), f"{await site.tasks() - tasks} tasks are left")
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    start, third, later, end = seen
    asked = Answers(answer for part in parts[1:] for answer in part)
    wrong = _wrong(asked)
    per_request = (end - third) * 2**20 / max(1, len(parts[2]) + len(parts[3]))
    report.tell("requests", f"{len(asked)}")
    report.tell("answered otherwise than if no service had any trouble", f"{wrong.total()}")
    report.tell(
        "memory at the start and after each third",
        f"{start:.1f}, {third:.1f}, {later:.1f}, {end:.1f} MiB",
    )
    report.tell("growth in the last two thirds", f"{per_request:.0f} bytes a request")
    told = ", ".join(f"{what}: {times}" for what, times in wrong.most_common(5))
    report.must(not wrong, f"these were answered otherwise than as they must be: {told}")
    report.must(
        end - third <= max(third * _GROWTH, _ALWAYS_MIB),
        f"memory grew from {third:.1f} to {end:.1f} MiB in the last two thirds",
    )
    return report


def _wrong(answers: Answers) -> Counter[str]:
    """Count the answers that are not what such a request must get, by request and status."""
    return Counter(
        f"{answer.request.path} {answer.status}"
        for answer in answers
        if answer.status not in _STATUSES.get(answer.request.name, _WRITTEN)
    )


def _requests() -> Iterator[Request]:
    mix, moves = cycle(_MIX), transfers()
    for number in count(1):
        if number % _REQUESTS_PER_WRITE:
            yield next(mix)
        elif number % (2 * _REQUESTS_PER_WRITE):
            yield next(moves).under(f"transfer-{number}")
        else:
            yield PURCHASE


async def _trouble(site: Stand) -> None:
    """Have a service hang up on a call, or hang in one, now and then."""
    for name, kind in cycle(
        (("pricing", "drop"), ("social", "hang"), ("shipping", "drop"), ("fraud", "hang"))
    ):
        await asyncio.sleep(_TROUBLE)
        await site.services.break_down(name, kind, times=1)
