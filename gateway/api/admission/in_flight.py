"""How many requests are answered at the same time."""

from typing import final

__all__ = ("InFlight",)


@final
class InFlight:
    """Counts what is under way: at most *limit* at the same time."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit

    @property
    def is_full(self) -> bool:
        """Say whether there are as many as there may be."""
        return self.count >= self._limit

    def enter(self) -> bool:
        """Count one more, unless it is full; whoever is let in must `leave`."""
        if self.is_full:
            return False
        self.count += 1
        return True

    def leave(self) -> None:
        """Make room for another one."""
        self.count -= 1
