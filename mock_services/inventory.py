"""The inventory service: what is in stock, and what is reserved of it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.answers import Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Digits, Strict
from mock_services.money import money
from mock_services.requests import Request

__all__ = ["Inventory", "Stock", "StockQuery"]

PRICES: Final = {
    "prod-456": Decimal("49.99"),
    "prod-expensive": Decimal("4999.00"),
    "prod-out-of-stock": Decimal("19.99"),
}
STOCK: Final = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}


class StockQuery(Strict):
    """How many are wanted."""

    quantity: Digits = 1


class Stock(TypedDict):
    """How many there are of a product, and what one costs."""

    product_id: str
    stock_level: int
    available: bool
    unit_price: str


class Inventory(Domain):
    """Counts the stock."""

    def __init__(self) -> None:
        self._stock = dict(STOCK)

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("GET /inventory/{id}", 50, self._check),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"stock": self._stock, "reservations": []}

    def _check(self, request: Request) -> Stock | Problem:
        product_id, wanted = request.params["id"], request.query(StockQuery).quantity
        if product_id not in self._stock:
            return Problem(HTTPStatus.NOT_FOUND, f"Product not found: {product_id}")
        level = self._stock[product_id]
        if level == 0:
            return Problem(HTTPStatus.CONFLICT, "Out of stock: product is unavailable")
        if level < wanted:
            return Problem(HTTPStatus.CONFLICT, f"Out of stock: only {level} left")
        return Stock(
            product_id=product_id, stock_level=level, available=True, unit_price=money(PRICES[product_id])
        )
