"""The order service: purchase orders."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.values.fields import Count, Id, RequestModel
from mock_services.values.ids import make_id

__all__ = ["Confirmation", "Order", "OrderRequest", "Orders"]


class OrderRequest(RequestModel):
    """An order to be created."""

    user_id: Id
    product_id: Id
    quantity: Count


class Confirmation(TypedDict):
    """The id and status of an order."""

    order_id: str
    status: Literal["created", "cancelled"]


class Order(Confirmation):
    """The record of an order."""

    user_id: str
    product_id: str
    quantity: int


class Orders(MockService):
    """Order service: records orders, without checking that the user and the product exist."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._orders: dict[str, Order] = {}
        self._keys: dict[str, str] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST /orders", 40, self._create_order, HTTPStatus.CREATED, is_write=True),
            Endpoint("DELETE /orders/{key}", 40, self._undo_order, HTTPStatus.NO_CONTENT, is_write=True),
            Endpoint("GET /orders/{order_id}", 40, self._fetch_order),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"orders": with_keys(self._orders)}

    def _fetch_order(self, request: Request) -> Order | Problem:
        order_id = request.params["order_id"]
        if order_id not in self._keys:
            return Problem(HTTPStatus.NOT_FOUND, f"Order not found: {order_id}")
        return self._orders[self._keys[order_id]]

    def _create_order(self, request: Request) -> Body | Problem:
        return self._writes.write(request, OrderRequest, self._create)

    def _undo_order(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._cancel)

    def _create(self, key: str, body: OrderRequest) -> Confirmation:
        confirmation = Confirmation(order_id=make_id("ord", key), status="created")
        self._keys[confirmation["order_id"]] = key
        self._orders[key] = Order(
            **confirmation, user_id=body.user_id, product_id=body.product_id, quantity=body.quantity
        )
        return confirmation

    def _cancel(self, key: str) -> None:
        self._orders[key]["status"] = "cancelled"
