"""Pause before a worker that has ended is replaced."""

from typing import Final, final

__all__ = ("RestartPause",)

_SHORTEST: Final = 0.2
_LONGEST: Final = 30.0
_STABLE: Final = 60.0


@final
class RestartPause:
    """Seconds to wait before the next start: twice as many each time, at most 30.

    After a worker that has lived for a minute, the pause is the shortest again.
    """

    def __init__(self) -> None:
        self._next = _SHORTEST

    def choose(self, lifetime: float) -> float:
        """Return the pause after a worker that has lived for *lifetime* seconds."""
        pause = _SHORTEST if lifetime >= _STABLE else self._next
        self._next = min(2 * pause, _LONGEST)
        return pause
