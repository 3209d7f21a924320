"""How many calls may be made again, so that retries never become the load."""

from typing import Final, final

from gateway.resilience.sliding_window import Window

__all__ = ("RetryBudget",)

_SECONDS: Final = 10.0


@final
class RetryBudget:
    """Allows retries of a *share* of the calls of the last 10 s, and *floor* beyond that.

    Where everything fails, the load on a service is then that much higher, and not three times as high
    (https://sre.google/sre-book/handling-overload/). The floor is for services that are hardly ever called.
    """

    def __init__(self, share: float = 0.2, floor: int = 10) -> None:
        self._share = share
        self._floor = floor
        self._calls = Window(_SECONDS)
        self._retries = Window(_SECONDS)

    def note_call(self, now: float) -> None:
        """Count a call that is made, not one of its retries; *now* is in seconds, and never goes back."""
        self._calls.add(now)

    def allows(self, now: float) -> bool:
        """Say whether a retry is left."""
        return self._retries.total(now) + 1 <= self._floor + self._share * self._calls.total(now)

    def take(self, now: float) -> bool:
        """Take a retry out of the budget; say no if there is none left."""
        is_left = self.allows(now)
        if is_left:
            self._retries.add(now)
        return is_left
