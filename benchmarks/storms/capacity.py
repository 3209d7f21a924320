"""How many checkouts a second a target can answer, and how many it does."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import Final, NamedTuple

from benchmarks.storms.answers import Answers
from benchmarks.storms.client import Client
from benchmarks.storms.request import CHECKOUT

__all__ = ("Capacity", "capacity", "goodputs", "served")

_PAUSE: Final = 0.5
_ROUNDS: Final = 3
_SAMPLES: Final = 2


class Capacity(NamedTuple):
    """So many a second, in each of several *rounds*, with so many *workers*."""

    rounds: Sequence[float]
    workers: int


async def capacity(client: Client, workers: Sequence[int], seconds: float) -> Capacity:
    """Find with how many *workers* the most is answered, by the better of two samples; then measure with it.

    Each sample and each round takes so many *seconds*. All are tried: one bad sample ends nothing.
    """
    best = workers[0]
    if len(workers) > 1:
        rates = {
            count: max([await served(client, count, seconds) for _ in range(_SAMPLES)]) for count in workers
        }
        best = max(rates, key=rates.__getitem__)
    return Capacity([await served(client, best, seconds) for _ in range(_ROUNDS)], best)


async def served(client: Client, workers: int, seconds: float) -> float:
    """Give how many checkouts a second so many workers get within so many seconds.

    What is answered only after them does not count.
    """
    end = asyncio.get_running_loop().time() + seconds
    answers = await client.busily(repeat(CHECKOUT), workers, seconds)
    await asyncio.sleep(_PAUSE)
    return len(answers.of(200).by(end)) / seconds


def goodputs(storm: Answers, seconds: float, rounds: int) -> Sequence[float]:
    """Give how many a second were answered well in each round of so many seconds; what came later is lost."""
    each = seconds / rounds
    had = [len(storm.of(200).by(storm.start + number * each)) for number in range(rounds + 1)]
    return [(later - earlier) / each for earlier, later in pairwise(had)]
