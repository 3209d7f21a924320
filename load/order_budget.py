"""Order budget: number of orders that can be placed while enough stock is left for all other requests."""

from typing import Final

__all__ = ("INITIAL_STOCK", "LOW_STOCK", "PRODUCT", "REFILL_COMMAND", "RESERVED_STOCK", "OrderBudget")

PRODUCT: Final = "prod-456"
INITIAL_STOCK: Final = 100
"""Stock level of the product in the seed data of the mock services."""

LOW_STOCK: Final = 50
"""At or below this stock level, shipping costs less, which would change the responses."""

RESERVED_STOCK: Final = 60
"""Items that the load test never orders: more than `LOW_STOCK`, because other clients may order as well."""

REFILL_COMMAND: Final = "curl -X DELETE http://127.0.0.1:8102/_mock"


class OrderBudget:
    """Number of items that this process can still order.

    The number is calculated from reported stock levels and the orders of this process, and is never too high.
    """

    def __init__(self) -> None:
        self._available: int | None = None
        self._taken = 0
        self.completed = 0
        self.placed = 0

    @property
    def is_known(self) -> bool:
        """True once `update` has recorded a stock level."""
        return self._available is not None

    def take(self) -> bool:
        """Take an item for an order, and return True; return False if none is known to be available."""
        if not self._available or self._available < 0:
            return False
        self._available -= 1
        self._taken += 1
        return True

    def complete(self, *, is_placed: bool) -> None:
        """Record the end of an order whose item was taken; *is_placed* is True if the order was placed."""
        self.completed += 1
        self.placed += is_placed

    def update(self, level: int, completed_before: int) -> str | None:
        """Record a stock level that was requested when *completed_before* orders had completed.

        The level may not include orders that were in flight then or sent since, so these are subtracted.
        Return a warning if this is the first level and it allows no order, else None.
        """
        is_first = not self.is_known
        self._available = level - RESERVED_STOCK - (self._taken - completed_before)
        if not is_first or level > RESERVED_STOCK:
            return None
        return (
            f"No order can be placed: {level} of {PRODUCT} are left, and {RESERVED_STOCK} are reserved for "
            f"other requests. To reset the inventory: {REFILL_COMMAND}"
        )
