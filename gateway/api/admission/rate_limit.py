"""How often each caller may ask."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, final

__all__ = ("Allowance", "RateLimit")

_MICROSECONDS: Final = 1_000_000


@final
@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller may do: whether it *is_admitted* now, how often more, and the seconds until once more.

    Within *wait* seconds it can ask *left* times and no more. Who is not admitted will be then, and not a
    microsecond earlier.
    """

    is_admitted: bool
    left: int
    wait: float


@final
class RateLimit:
    """A *quota* for each caller: all of it can be used at once, and comes back evenly in *window* seconds.

    So of whatever seconds in a row, no more are admitted than the quota and what comes back meanwhile. Who is
    not admitted pays nothing. This is the generic cell rate algorithm (ITU-T I.371), a token bucket of which
    one number is kept for each caller: when its quota will be whole again. Who has it whole is forgotten, and
    of more than *known* callers the one that has not been seen for the longest time: it has its quota anew.
    """

    def __init__(self, quota: int, window: int = 60, known: int = 100_000) -> None:
        # Whole numbers are exact. A microsecond has *quota* units of time, so that to ask once costs as many
        # of them as the window has microseconds.
        self._quota = quota
        self._cost = window * _MICROSECONDS
        self._known = known
        self._whole_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Give how many callers are known."""
        return len(self._whole_at)

    def ask(self, caller: str, now: float) -> Allowance:
        """Admit *caller* if some of its quota is left at *now*: seconds, of a clock that never goes back."""
        instant = round(now * _MICROSECONDS) * self._quota
        whole_at = max(self._whole_at.pop(caller, instant), instant)
        spare = instant + self._quota * self._cost - whole_at
        is_admitted = spare >= self._cost
        if is_admitted:
            whole_at += self._cost
            spare -= self._cost
        self._whole_at[caller] = whole_at
        self._forget(instant)
        left, part = divmod(spare, self._cost)
        wait = -((part - self._cost) // self._quota)
        return Allowance(is_admitted, left, wait / _MICROSECONDS)

    def _forget(self, instant: int) -> None:
        """Forget at most two callers: one is added at a time, so that they become fewer, and nobody waits."""
        for _ in range(2):
            oldest = next(iter(self._whole_at))
            if self._whole_at[oldest] > instant and len(self._whole_at) <= self._known:
                break
            del self._whole_at[oldest]
