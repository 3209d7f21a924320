"""Measurements of capacity and goodput, in checkouts per second."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import Final, NamedTuple

from benchmarks.storms.client.client import Client
from benchmarks.storms.client.outcomes import Outcomes
from benchmarks.storms.client.request import CHECKOUT

__all__ = ("Capacity", "goodput_per_round", "measure_capacity", "measure_throughput")

_PAUSE: Final = 0.5
_ROUNDS: Final = 3
_SAMPLES: Final = 2


class Capacity(NamedTuple):
    """The checkouts per second in each of several *rounds*, with the best number of *workers*."""

    rounds: Sequence[float]
    workers: int


async def measure_capacity(client: Client, workers: Sequence[int], seconds: float) -> Capacity:
    """Find the number of *workers* with the highest throughput, then measure its throughput in three rounds.

    Each number is tried twice, and the better result counts; a single number is not tried. Each try and each
    round takes *seconds*.
    """
    best = workers[0]
    if len(workers) > 1:
        rates = {
            count: max([await measure_throughput(client, count, seconds) for _ in range(_SAMPLES)])
            for count in workers
        }
        best = max(rates, key=rates.__getitem__)
    return Capacity([await measure_throughput(client, best, seconds) for _ in range(_ROUNDS)], best)


async def measure_throughput(client: Client, workers: int, seconds: float) -> float:
    """Return the successful checkouts per second that *workers* workers achieve.

    Responses that arrive after *seconds* do not count.
    """
    end = asyncio.get_running_loop().time() + seconds
    outcomes = await client.send_with_workers(repeat(CHECKOUT), workers, seconds)
    await asyncio.sleep(_PAUSE)
    return len(outcomes.with_status(200).received_by(end)) / seconds


def goodput_per_round(storm: Outcomes, seconds: float, rounds: int) -> Sequence[float]:
    """Split *storm* into *rounds*, and return the successes per second of each.

    Responses that arrive later than *seconds* after the start do not count.
    """
    length = seconds / rounds
    totals = [
        len(storm.with_status(200).received_by(storm.start + number * length)) for number in range(rounds + 1)
    ]
    return [(later - earlier) / length for earlier, later in pairwise(totals)]
