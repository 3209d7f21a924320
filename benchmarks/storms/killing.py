"""Every service killed and started again, one after the other, under load."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Final

from benchmarks.storms.answers import Answers
from benchmarks.storms.books import wrongs
from benchmarks.storms.report import Report, spread
from benchmarks.storms.request import CHECKOUT, FEED, ORDER, PURCHASE, Request, transfers
from benchmarks.storms.stand import Stand, Target, stand
from gateway.settings import SERVICES

__all__ = ("killing",)

_RATE: Final = 30
_DOWN: Final = 1.0
_HEALED: Final = 2.0
_WATCHED: Final = 3.0
"""Seconds that are looked at from a restart on: those that it may take to heal, and one that must go well."""
_BETWEEN: Final = 1.0
"""Seconds from those to the next kill, within which their requests are answered."""
_ROUNDS_PER_ORDER: Final = 15
"""There are a hundred to be ordered, and the others need to see some in stock."""
_DECLARED: Final = (200, 201, 202, 503, 504)


async def killing(target: Target, size: float) -> Report:
    """Kill the first *size* services in turn with SIGKILL, and start each again a second later.

    Meanwhile 30 requests a second are made to all five pipelines. Afterwards the books of the services are
    compared with what was answered.
    """
    report = Report()
    names = SERVICES[: max(1, round(size))]
    async with stand(target, apart=True) as site:
        await site.warm_up(CHECKOUT, FEED)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(site.client.steadily(_requests(over), _RATE))
            restarts = await _kill(site, names)
            over.set()
        answers = asking.result()
        wrong = await wrongs(site, answers)
        report.must(not site.tracebacks, f"{site.tracebacks} exceptions were caught by nobody")

    heals = {name: _healed(answers, restart) for name, restart in restarts.items()}
    report.tell("answers", answers.told)
    report.tell("last failure after a restart", spread(heals.values(), "s"))
    report.tell("not in the books as it was answered", f"{len(wrong)}")
    report.must(not answers.but(*_DECLARED), f"the answers were {answers.told}")
    for name, healed in heals.items():
        report.must(healed <= _HEALED, f"{healed:.1f} s after {name} was there again, requests still failed")
    report.must(not wrong, f"{len(wrong)} are not in the books as answered: {'; '.join(wrong[:3])}")
    return report


async def _kill(site: Stand, names: Sequence[str]) -> Mapping[str, float]:
    """Give for each service the time at which it was there again."""
    restarts: dict[str, float] = {}
    for name in names:
        await site.services.kill(name)
        await asyncio.sleep(_DOWN)
        await site.services.restart(name)
        restarts[name] = asyncio.get_running_loop().time()
        await asyncio.sleep(_WATCHED + _BETWEEN)
    return restarts


def _healed(answers: Answers, restart: float) -> float:
    """Give the seconds after which nothing fails any more, nor lacks anything."""
    failed = answers.between(restart, restart + _WATCHED).unwell
    return max((answer.begun - restart for answer in failed), default=0.0)


def _requests(over: asyncio.Event) -> Iterator[Request]:
    moves = transfers()
    for number in count():
        if over.is_set():
            return
        yield from (CHECKOUT, FEED, next(moves), PURCHASE)
        if number % _ROUNDS_PER_ORDER == 0:
            yield ORDER
