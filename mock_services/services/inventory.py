"""The inventory service: stock levels and reservations."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.values.fields import Count, Id, QueryCount, RequestModel
from mock_services.values.ids import make_id
from mock_services.values.money import format_money

__all__ = ["Inventory", "Reservation", "ReservationRequest", "Stock", "StockQuery"]

PRICES: Final = {
    "prod-456": Decimal("49.99"),
    "prod-expensive": Decimal("4999.00"),
    "prod-out-of-stock": Decimal("19.99"),
}
STOCK: Final = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}


class StockQuery(RequestModel):
    """The quantity that must be in stock."""

    quantity: QueryCount = 1


class ReservationRequest(RequestModel):
    """A reservation to be made."""

    product_id: Id
    quantity: Count


class Stock(TypedDict):
    """The stock level and price of a product."""

    product_id: str
    stock_level: int
    available: bool
    unit_price: str


class Reservation(TypedDict):
    """A reservation."""

    reservation_id: str
    product_id: str
    quantity: int
    is_reserved: bool


class Inventory(MockService):
    """Inventory service: stock levels and reservations; reserved items are not in stock."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._stock = dict(STOCK)
        self._reservations: dict[str, Reservation] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /inventory/{id}", 50, self._check),
            Endpoint("POST /reservations", 25, self._create_reservation, HTTPStatus.CREATED, is_write=True),
            Endpoint(
                "DELETE /reservations/{key}", 25, self._undo_reservation, HTTPStatus.NO_CONTENT, is_write=True
            ),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"stock": self._stock, "reservations": with_keys(self._reservations)}

    def _check(self, request: Request) -> Stock | Problem:
        product_id, quantity = request.params["id"], request.query(StockQuery).quantity
        if product_id not in self._stock:
            return Problem(HTTPStatus.NOT_FOUND, f"Product not found: {product_id}")
        level = self._stock[product_id]
        if level == 0:
            return Problem(HTTPStatus.CONFLICT, "Out of stock: product is unavailable")
        if level < quantity:
            return Problem(HTTPStatus.CONFLICT, f"Out of stock: only {level} left")
        return Stock(
            product_id=product_id,
            stock_level=level,
            available=True,
            unit_price=format_money(PRICES[product_id]),
        )

    def _create_reservation(self, request: Request) -> Body | Problem:
        return self._writes.write(request, ReservationRequest, self._reserve)

    def _undo_reservation(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._release)

    def _reserve(self, key: str, body: ReservationRequest) -> Reservation | Problem:
        product_id, quantity = body.product_id, body.quantity
        if product_id not in self._stock:
            return Problem(HTTPStatus.NOT_FOUND, f"Product not found: {product_id}")
        if self._stock[product_id] < quantity:
            return Problem(HTTPStatus.CONFLICT, "Cannot reserve unavailable inventory")
        self._stock[product_id] -= quantity
        self._reservations[key] = Reservation(
            reservation_id=make_id("res", key), product_id=product_id, quantity=quantity, is_reserved=True
        )
        return self._reservations[key]

    def _release(self, key: str) -> None:
        reservation = self._reservations.pop(key)
        self._stock[reservation["product_id"]] += reservation["quantity"]
