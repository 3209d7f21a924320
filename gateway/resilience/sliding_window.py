"""How often something has happened of late."""

from typing import Final, final

__all__ = ("Window",)

_SLOTS: Final = 10


@final
class Window:
    """Counts what happened within the last *seconds*, to a tenth of them.

    Instants are seconds on a clock that never goes back.
    """

    __slots__ = ("_counts", "_latest", "_seconds", "_total")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds / _SLOTS
        self._counts = [0] * _SLOTS
        self._latest = 0
        self._total = 0

    def add(self, now: float) -> None:
        """Count one more."""
        self._forget(now)
        self._counts[self._latest % _SLOTS] += 1
        self._total += 1

    def total(self, now: float) -> int:
        """Give how many there were."""
        self._forget(now)
        return self._total

    def _forget(self, now: float) -> None:
        slot = int(now / self._seconds)
        for past in range(self._latest + 1, min(slot, self._latest + _SLOTS) + 1):
            self._total -= self._counts[past % _SLOTS]
            self._counts[past % _SLOTS] = 0
        self._latest = slot
