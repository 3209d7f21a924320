"""In-flight limit: the number of requests that are handled at the same time."""

from typing import final

from gateway.resilience.validation import check_whole

__all__ = ("InFlightLimit",)


@final
class InFlightLimit:
    """Counter of requests in flight, with at most *limit* (1 or more) at the same time."""

    def __init__(self, limit: int) -> None:
        check_whole("limit", limit, 1)
        self.count = 0
        self.refused = 0
        """Number of requests that were refused because the limit was reached; the caller counts them."""
        self._limit = limit

    @property
    def limit(self) -> int:
        """Return the limit."""
        return self._limit

    @property
    def is_full(self) -> bool:
        """Return whether the limit is reached."""
        return self.count >= self._limit

    def try_acquire(self) -> bool:
        """Take a slot and return True, or return False if none is free; a taken slot needs a `release`."""
        if self.is_full:
            return False
        self.count += 1
        return True

    def release(self) -> None:
        """Free a slot."""
        self.count -= 1
