"""The payment service: methods of payment, and transfers between accounts."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Literal, TypedDict

from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.requests import Request
from mock_services.transfers import TransferOrder, TransferTerms

__all__ = ["Execution", "PaymentMethod", "Payments", "Transfer"]

VALID: Final = frozenset({"pm-789"})
EXPIRED: Final = frozenset({"pm-expired"})


class PaymentMethod(TypedDict):
    """A method of payment that can be used."""

    payment_id: str
    is_valid: bool


class Execution(TypedDict):
    """A transfer, and what has become of it."""

    transfer_id: str
    status: Literal["executed", "reversed"]


class Transfer(Execution, TransferTerms):
    """All that is known of a transfer."""


class Payments(Domain):
    """Knows the methods of payment of the seeds, and sends money without asking what the account holds."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._transfers: dict[str, Transfer] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /payments/{id}", 50, self._validate),
            Endpoint("POST /transfers", 40, self._transfer, HTTPStatus.CREATED, writes=True),
            Endpoint("DELETE /transfers/{key}", 40, self._undo_transfer, HTTPStatus.NO_CONTENT, writes=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"transfers": keyed(self._transfers)}

    def _validate(self, request: Request) -> PaymentMethod | Problem:
        payment_id = request.params["id"]
        if payment_id in EXPIRED:
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Payment method expired")
        if payment_id not in VALID:
            return Problem(HTTPStatus.NOT_FOUND, f"Payment method not found: {payment_id}")
        return PaymentMethod(payment_id=payment_id, is_valid=True)

    def _transfer(self, request: Request) -> Body | Problem:
        return self._writes.write(request, TransferOrder, self._execute)

    def _undo_transfer(self, request: Request) -> Problem | None:
        return self._writes.undo(request, self._reverse)

    def _execute(self, key: str, wanted: TransferOrder) -> Execution:
        execution = Execution(transfer_id=id_of("trf", key), status="executed")
        self._transfers[key] = Transfer(**execution, **wanted.terms)
        return execution

    def _reverse(self, key: str) -> None:
        self._transfers[key]["status"] = "reversed"
