"""Retry budget for one operation: keeps retries from multiplying the load on a failing service."""

from typing import Final, final

from gateway.resilience.sliding_window import SlidingWindowCounter
from gateway.resilience.terms import RetryTerms

__all__ = ("RetryBudget",)

_WINDOW: Final = 10.0


@final
class RetryBudget:
    """Budget for retries: a share of the calls of the last 10 s, plus a fixed number.

    So when every call fails, retries add only that share and the fixed number to the load, and do not triple
    it (https://sre.google/sre-book/handling-overload/). Every *now* is in seconds on a monotonic clock.
    """

    def __init__(self, terms: RetryTerms) -> None:
        self._share = terms.budget_share
        self._floor = terms.budget_floor
        self._calls = SlidingWindowCounter(_WINDOW)
        self._retries = SlidingWindowCounter(_WINDOW)

    def record_call(self, now: float) -> None:
        """Record the first attempt of a call."""
        self._calls.add(now)

    def has_retry_left(self, now: float) -> bool:
        """Return True if the budget allows another retry."""
        return self._retries.total(now) + 1 <= self._floor + self._share * self._calls.total(now)

    def take_retry(self, now: float) -> bool:
        """Take a retry from the budget and return True; return False if no retry is left."""
        is_left = self.has_retry_left(now)
        if is_left:
            self._retries.add(now)
        return is_left
