"""The order service: who has ordered what."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal, TypedDict

from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Count, Id, Strict
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.requests import Request

__all__ = ["Confirmation", "Order", "OrderRequest", "Orders"]


class OrderRequest(Strict):
    """Who wants how many of what."""

    user_id: Id
    product_id: Id
    quantity: Count


class Confirmation(TypedDict):
    """An order, and what has become of it."""

    order_id: str
    status: Literal["created", "cancelled"]


class Order(Confirmation):
    """All that is known of an order."""

    user_id: str
    product_id: str
    quantity: int


class Orders(Domain):
    """Takes every order, without asking whether user and product exist."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._orders: dict[str, Order] = {}
        self._keys: dict[str, str] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST /orders", 40, self._order, HTTPStatus.CREATED, writes=True),
            Endpoint("DELETE /orders/{key}", 40, self._undo_order, HTTPStatus.NO_CONTENT, writes=True),
            Endpoint("GET /orders/{order_id}", 40, self._fetch),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"orders": keyed(self._orders)}

    def _fetch(self, request: Request) -> Order | Problem:
        order_id = request.params["order_id"]
        if order_id not in self._keys:
            return Problem(HTTPStatus.NOT_FOUND, f"Order not found: {order_id}")
        return self._orders[self._keys[order_id]]

    def _order(self, request: Request) -> Body | Problem:
        return self._writes.write(request, OrderRequest, self._create)

    def _undo_order(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._cancel)

    def _create(self, key: str, wanted: OrderRequest) -> Confirmation:
        confirmation = Confirmation(order_id=id_of("ord", key), status="created")
        self._keys[confirmation["order_id"]] = key
        self._orders[key] = Order(
            **confirmation, user_id=wanted.user_id, product_id=wanted.product_id, quantity=wanted.quantity
        )
        return confirmation

    def _cancel(self, key: str) -> None:
        self._orders[key]["status"] = "cancelled"
