"""Counter of events within a sliding time window."""

from typing import Final, final

__all__ = ("SlidingWindowCounter",)

_SLOTS: Final = 10


@final
class SlidingWindowCounter:
    """Counter of the events of the last *seconds*, with a resolution of a tenth of that time.

    Every *now* is in seconds on a monotonic clock.
    """

    __slots__ = ("_counts", "_latest_slot", "_slot_seconds", "_total")

    def __init__(self, seconds: float) -> None:
        self._slot_seconds = seconds / _SLOTS
        self._counts = [0] * _SLOTS
        self._latest_slot = 0
        self._total = 0

    def add(self, now: float) -> None:
        """Count an event at the time *now*."""
        self._expire(now)
        self._counts[self._latest_slot % _SLOTS] += 1
        self._total += 1

    def total(self, now: float) -> int:
        """Return the number of events in the window that ends at the time *now*."""
        self._expire(now)
        return self._total

    def _expire(self, now: float) -> None:
        """Make the slot of *now* the latest slot; clear the slots after the previous latest slot."""
        slot = int(now / self._slot_seconds)
        if slot == self._latest_slot:  # the usual case
            return
        for past in range(self._latest_slot + 1, min(slot, self._latest_slot + _SLOTS) + 1):
            self._total -= self._counts[past % _SLOTS]
            self._counts[past % _SLOTS] = 0
        self._latest_slot = slot
