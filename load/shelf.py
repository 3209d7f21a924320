"""How many can be ordered, so that all others find enough."""

from typing import Final

__all__ = ("CHEAP_UP_TO", "LEFT_FOR_OTHERS", "PRODUCT", "REFILL", "SEEDED", "Shelf")

PRODUCT: Final = "prod-456"
SEEDED: Final = 100
"""So many there are of it when the mock services are as new."""

CHEAP_UP_TO: Final = 50
"""With so many of it or fewer, shipping has another price."""

LEFT_FOR_OTHERS: Final = 60
"""So many are not ordered. It is more than must be left: somebody else may order as well."""

REFILL: Final = "curl -X DELETE http://127.0.0.1:8102/_mock"


class Shelf:
    """How many of the product can still be ordered, at the least.

    What `told` hears was true when it was asked for: what has been taken since, or was about to be, is gone.
    It knows of the orders of its own process only.
    """

    def __init__(self) -> None:
        self._free: int | None = None
        self._taken = 0
        self.ended = 0
        self.placed = 0

    @property
    def is_known(self) -> bool:
        """Whether it has been told anything yet."""
        return self._free is not None

    def take(self) -> bool:
        """Take one to order it, if there is one."""
        if not self._free or self._free < 0:
            return False
        self._free -= 1
        self._taken += 1
        return True

    def end(self, *, placed: bool) -> None:
        """Hear that the order of one that was taken has been answered, and whether it was *placed*."""
        self.ended += 1
        self.placed += placed

    def told(self, level: int, ended_before: int) -> str | None:
        """Hear that there were *level*, asked for when so many orders had *ended*.

        The first time, give a warning if that is too few to order any.
        """
        is_first = not self.is_known
        self._free = level - LEFT_FOR_OTHERS - (self._taken - ended_before)
        if not is_first or level > LEFT_FOR_OTHERS:
            return None
        return (
            f"No order can be placed: {level} of {PRODUCT} are left, and {LEFT_FOR_OTHERS} stay for the "
            f"other requests. This makes the inventory as new: {REFILL}"
        )
