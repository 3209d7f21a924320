"""The payment service: payment methods, and transfers between accounts."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Literal, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.services.transfer_order import TransferOrder, TransferTerms
from mock_services.values.ids import make_id

__all__ = ["Execution", "PaymentMethod", "Payments", "Transfer"]

VALID: Final = frozenset({"pm-789"})
EXPIRED: Final = frozenset({"pm-expired"})


class PaymentMethod(TypedDict):
    """A valid payment method."""

    payment_id: str
    is_valid: bool


class Execution(TypedDict):
    """The id and status of a transfer."""

    transfer_id: str
    status: Literal["executed", "reversed"]


class Transfer(Execution, TransferTerms):
    """The record of a transfer."""


class Payments(MockService):
    """Payment service: validates payment methods, and executes transfers without checking balances."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._transfers: dict[str, Transfer] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /payments/{id}", 50, self._validate),
            Endpoint("POST /transfers", 40, self._create_transfer, HTTPStatus.CREATED, is_write=True),
            Endpoint(
                "DELETE /transfers/{key}", 40, self._undo_transfer, HTTPStatus.NO_CONTENT, is_write=True
            ),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"transfers": with_keys(self._transfers)}

    def _validate(self, request: Request) -> PaymentMethod | Problem:
        payment_id = request.params["id"]
        if payment_id in EXPIRED:
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Payment method expired")
        if payment_id not in VALID:
            return Problem(HTTPStatus.NOT_FOUND, f"Payment method not found: {payment_id}")
        return PaymentMethod(payment_id=payment_id, is_valid=True)

    def _create_transfer(self, request: Request) -> Body | Problem:
        return self._writes.write(request, TransferOrder, self._execute)

    def _undo_transfer(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._reverse)

    def _execute(self, key: str, order: TransferOrder) -> Execution:
        execution = Execution(transfer_id=make_id("trf", key), status="executed")
        self._transfers[key] = Transfer(**execution, **order.terms)
        return execution

    def _reverse(self, key: str) -> None:
        self._transfers[key]["status"] = "reversed"
