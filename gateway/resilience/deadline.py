"""How much time is left."""

import asyncio

from gateway.railway import SURROUNDINGS

__all__ = ("clipped", "time_left")


def clipped(seconds: float) -> float:
    """Give *seconds*, or what is left until the deadline of the run that is going on, if that is less.

    Zero or less says that nothing is left. The deadline is an instant on the running loop's clock.
    """
    return min(seconds, time_left())


def time_left() -> float:
    """Give the seconds until the deadline of the run that is going on: infinity where there is none."""
    deadline = SURROUNDINGS.get().deadline
    return float("inf") if deadline is None else deadline - asyncio.get_running_loop().time()
