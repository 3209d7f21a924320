"""Services that are killed and restarted in turn under load."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Final

from benchmarks.storms.books import find_discrepancies
from benchmarks.storms.client.outcomes import Outcomes
from benchmarks.storms.client.request import CHECKOUT, FEED, ORDER, PURCHASE, Request, generate_transfers
from benchmarks.storms.deployment import Deployment, Target, deploy
from benchmarks.storms.report import Report, format_spread
from gateway.services import SERVICES

__all__ = ("killing",)

_RATE: Final = 30
_DOWNTIME: Final = 1.0
_RECOVERY: Final = 2.0
_OBSERVED: Final = 3.0
"""Seconds that are evaluated after a restart: the recovery time, and a second without failures."""
_BETWEEN: Final = 1.0
"""Seconds from the end of the evaluation to the next kill, so that requests in flight can end."""
_ROUNDS_PER_ORDER: Final = 15
"""Rounds per order: many, because the stock is 100 items and other requests need some of it."""
_DECLARED: Final = (200, 201, 202, 503, 504)


async def killing(target: Target, size: float) -> Report:
    """Kill the first *size* services in turn with SIGKILL, and restart each a second later.

    Meanwhile 30 requests per second go to all five pipelines. Afterwards the state of the services is
    compared with the responses.
    """
    report = Report()
    names = [service.name for service in SERVICES[: max(1, round(size))]]
    async with deploy(target, separate_services=True) as deployment:
        await deployment.warm_up(CHECKOUT, FEED)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            load_task = group.create_task(deployment.client.send_at_rate(_generate_requests(stop), _RATE))
            restarts = await _kill_in_turn(deployment, names)
            stop.set()
        outcomes = load_task.result()
        unexpected = await find_discrepancies(deployment, outcomes)
        report.require(not deployment.tracebacks, f"{deployment.tracebacks} uncaught exceptions")

    recoveries = {name: _recovery_time(outcomes, restart) for name, restart in restarts.items()}
    report.add("outcomes", outcomes.summary)
    report.add("last failure after a restart", format_spread(recoveries.values(), "s"))
    report.add("writes that do not match the responses", f"{len(unexpected)}")
    report.require(not outcomes.without_status(*_DECLARED), f"the outcomes were {outcomes.summary}")
    for name, healed in recoveries.items():
        report.require(
            healed <= _RECOVERY, f"requests still failed {healed:.1f} s after the restart of {name}"
        )
    report.require(
        not unexpected, f"{len(unexpected)} writes do not match the responses: {'; '.join(unexpected[:3])}"
    )
    return report


async def _kill_in_turn(deployment: Deployment, names: Sequence[str]) -> Mapping[str, float]:
    """Kill and restart the services; return the time at which each service was up again."""
    restarts: dict[str, float] = {}
    for name in names:
        await deployment.services.kill(name)
        await asyncio.sleep(_DOWNTIME)
        await deployment.services.restart(name)
        restarts[name] = asyncio.get_running_loop().time()
        await asyncio.sleep(_OBSERVED + _BETWEEN)
    return restarts


def _recovery_time(outcomes: Outcomes, restart: float) -> float:
    """Return the seconds from a restart to the last failure or incomplete success within 3 s; 0 if none."""
    failed = outcomes.between(restart, restart + _OBSERVED).imperfect
    return max((outcome.due - restart for outcome in failed), default=0.0)


def _generate_requests(stop: asyncio.Event) -> Iterator[Request]:
    transfers = generate_transfers()
    for number in count():
        if stop.is_set():
            return
        yield from (CHECKOUT, FEED, next(transfers), PURCHASE)
        if number % _ROUNDS_PER_ORDER == 0:
            yield ORDER
