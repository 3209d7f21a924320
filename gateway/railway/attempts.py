"""Attempts: their time limit, and the pauses between them, for writes and undos that are repeated."""

import asyncio
import random
from collections.abc import Iterator
from typing import Final, TypeVar

from gateway.railway.context import ContextChange, change_context, time_left
from gateway.railway.errors import Failure
from gateway.railway.result import Attempt, Result

__all__ = ("attempt_in_time", "generate_pauses", "set_budget", "sleep_before_deadline")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_GRACE: Final = 1.0


async def attempt_in_time(name: str, attempt: Attempt[T, E]) -> Result[T, E]:
    """Make *attempt*; raise `TimeoutError` if it overruns the deadline by more than a second.

    Raise `RuntimeError` if other code cancels it.
    """
    try:
        async with asyncio.timeout(time_left() + _GRACE):
            return await attempt()
    except asyncio.CancelledError as stray:
        # If nothing has cancelled this task, the attempt has awaited another task that was cancelled: a bug.
        # If this `CancelledError` propagated, a commit would end without undoing the writes.
        # https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.cancelling
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        msg = f"{name} was cancelled by other code"
        raise RuntimeError(msg) from stray


def set_budget(seconds: float) -> ContextChange:
    """Set the deadline to *seconds* from now."""
    return change_context(deadline=asyncio.get_running_loop().time() + seconds)


async def sleep_before_deadline(seconds: float) -> bool:
    """Sleep and return True; return False at once if the deadline would pass during the sleep."""
    if time_left() <= seconds:
        return False
    await asyncio.sleep(seconds)
    return True


def generate_pauses() -> Iterator[float]:
    """Yield the seconds to wait between attempts: exponential backoff with equal jitter."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter: clients must not retry in lockstep
        pause = min(pause * 2, _LONGEST_PAUSE)
