"""The inventory service: what is in stock, and what is reserved of it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Count, Digits, Id, Strict
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.money import money
from mock_services.requests import Request

__all__ = ["Inventory", "Reservation", "ReservationRequest", "Stock", "StockQuery"]

PRICES: Final = {
    "prod-456": Decimal("49.99"),
    "prod-expensive": Decimal("4999.00"),
    "prod-out-of-stock": Decimal("19.99"),
}
STOCK: Final = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}


class StockQuery(Strict):
    """How many are wanted."""

    quantity: Digits = 1


class ReservationRequest(Strict):
    """How many of what are to be put aside."""

    product_id: Id
    quantity: Count


class Stock(TypedDict):
    """How many there are of a product, and what one costs."""

    product_id: str
    stock_level: int
    available: bool
    unit_price: str


class Reservation(TypedDict):
    """What has been put aside."""

    reservation_id: str
    product_id: str
    quantity: int
    is_reserved: bool


class Inventory(Domain):
    """Counts the stock; what is reserved is no longer in it."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._stock = dict(STOCK)
        self._reservations: dict[str, Reservation] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /inventory/{id}", 50, self._check),
            Endpoint("POST /reservations", 25, self._reserve, HTTPStatus.CREATED, writes=True),
            Endpoint("DELETE /reservations/{key}", 25, self._release, HTTPStatus.NO_CONTENT, writes=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"stock": self._stock, "reservations": keyed(self._reservations)}

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

    def _reserve(self, request: Request) -> Body | Problem:
        return self._writes.write(request, ReservationRequest, self._put_aside)

    def _release(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._put_back)

    def _put_aside(self, key: str, wanted: ReservationRequest) -> Reservation | Problem:
        product_id, quantity = wanted.product_id, wanted.quantity
        if product_id not in self._stock:
            return Problem(HTTPStatus.NOT_FOUND, f"Product not found: {product_id}")
        if self._stock[product_id] < quantity:
            return Problem(HTTPStatus.CONFLICT, "Cannot reserve unavailable inventory")
        self._stock[product_id] -= quantity
        self._reservations[key] = Reservation(
            reservation_id=id_of("res", key), product_id=product_id, quantity=quantity, is_reserved=True
        )
        return self._reservations[key]

    def _put_back(self, key: str) -> None:
        reservation = self._reservations.pop(key)
        self._stock[reservation["product_id"]] += reservation["quantity"]
