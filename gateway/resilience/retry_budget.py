"""Retry budget for one upstream service: keeps retries from multiplying the load on a failing service."""

from typing import Final, final

from gateway.resilience.sliding_window import SlidingWindowCounter
from gateway.resilience.terms import RetryTerms

__all__ = ("RetryBudget",)

_WINDOW: Final = 10.0


@final
class RetryBudget:
    """Allows retries of a share of the calls of the last 10 s, and a fixed number beyond that.

    When every call fails, the load on the service grows by that share instead of tripling
    (https://sre.google/sre-book/handling-overload/). Every *now* is in seconds, on a clock that never goes
    back.
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
        """Return whether the budget allows one more retry."""
        return self._retries.total(now) + 1 <= self._floor + self._share * self._calls.total(now)

    def take_retry(self, now: float) -> bool:
        """Take one retry from the budget; return False if none is left."""
        is_left = self.has_retry_left(now)
        if is_left:
            self._retries.add(now)
        return is_left
