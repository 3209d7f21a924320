"""Deadline of the current run: an instant on the event loop's clock."""

from typing import Final

from gateway.railway import time_left

__all__ = ("clip_to_deadline", "has_deadline_passed")

# The clock and the timers of uvloop count whole milliseconds (MagicStack/uvloop#359).
_RESOLUTION: Final = 0.001
"""Seconds before the deadline at which it already counts as passed.

Budgets are sent to services in whole milliseconds, and a timer may fire slightly early.
"""


def clip_to_deadline(seconds: float) -> float:
    """Return *seconds*, or the time left until the deadline if that is less."""
    return min(seconds, time_left())


def has_deadline_passed(left: float) -> bool:
    """Return whether a deadline that is *left* seconds away counts as passed, in its last millisecond."""
    return left < _RESOLUTION
