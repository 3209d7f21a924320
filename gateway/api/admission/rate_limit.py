"""Rate limit per caller (GCRA)."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, final

from gateway.resilience.validation import check_whole

__all__ = ("RateLimit", "RateLimitDecision")

_MICROSECONDS: Final = 1_000_000


@final
@dataclass(frozen=True, slots=True)
class RateLimitDecision:
    """Decision on a request, and the caller's quota after it.

    The caller has *remaining* requests for the next *wait* seconds, then one more. A refused request is
    admitted after exactly *wait* seconds, which has microsecond precision.
    """

    is_admitted: bool
    remaining: int
    wait: float


@final
class RateLimit:
    """A *quota* of requests per *window* seconds for each caller, refilled evenly.

    The whole quota can be used in one burst. Within any period, no more requests are admitted than the quota
    plus the refill of that period. A refused request costs nothing.

    This is the generic cell rate algorithm (GCRA, ITU-T I.371), a token bucket that stores a single number
    per caller: the time at which its quota is full again. A caller with a full quota is forgotten. Beyond
    *max_callers*, the least recently seen caller is forgotten too, and starts again with a full quota.
    """

    def __init__(self, quota: int, window: int = 60, max_callers: int = 100_000) -> None:
        for name, value in (("quota", quota), ("window", window), ("max_callers", max_callers)):
            check_whole(name, value, 1)
        # Integers keep this exact: time is counted in units of 1/quota microseconds, so that one request
        # costs as many units as the window has microseconds.
        self._quota = quota
        self._cost = window * _MICROSECONDS
        self._max_callers = max_callers
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of callers that are remembered."""
        return len(self._full_at)

    def admit(self, caller: str, now: float) -> RateLimitDecision:
        """Return the decision on a request of *caller*; *now* is in seconds on a monotonic clock."""
        instant = round(now * _MICROSECONDS) * self._quota
        full_at = max(self._full_at.pop(caller, instant), instant)
        available = instant + self._quota * self._cost - full_at
        is_admitted = available >= self._cost
        if is_admitted:
            full_at += self._cost
            available -= self._cost
        self._full_at[caller] = full_at
        self._evict(instant)
        remaining, refilled = divmod(available, self._cost)
        wait = -((refilled - self._cost) // self._quota)
        return RateLimitDecision(is_admitted, remaining, wait / _MICROSECONDS)

    def _evict(self, instant: int) -> None:
        """Forget up to two of the least recently seen callers, if their quota is full or there are too many.

        A request adds at most one caller, so two are enough, and the time per request is constant.
        """
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > instant and len(self._full_at) <= self._max_callers:
                break
            del self._full_at[oldest]
