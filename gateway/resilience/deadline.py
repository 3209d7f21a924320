"""How much time is left."""

from typing import Final

from gateway.railway import time_left

__all__ = ("clip_to_deadline", "is_over")

_INSTANT: Final = 0.001


def clip_to_deadline(seconds: float) -> float:
    """Give *seconds*, or what is left until the deadline of the run that is going on, if that is less.

    The deadline is an instant on the running loop's clock.
    """
    return min(seconds, time_left())


def is_over(after: float = 0.0) -> bool:
    """Say whether nothing will be left until that deadline *after* so many seconds.

    Less than a millisecond is nothing: services are told in milliseconds how long they have, and a timer may
    fire a little early.
    """
    return time_left() - after < _INSTANT
