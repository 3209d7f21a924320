"""How much time is left."""

import asyncio

from gateway.railway import SURROUNDINGS

__all__ = ("clipped",)


def clipped(seconds: float) -> float:
    """Give *seconds*, or what is left until the deadline of the run that is going on, if that is less.

    Zero or less says that nothing is left. The deadline is an instant on the running loop's clock.
    """
    deadline = SURROUNDINGS.get().deadline
    return seconds if deadline is None else min(seconds, deadline - asyncio.get_running_loop().time())
