"""The payment service: methods of payment, and transfers between accounts."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.answers import Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.requests import Request

__all__ = ["PaymentMethod", "Payments"]

VALID: Final = frozenset({"pm-789"})
EXPIRED: Final = frozenset({"pm-expired"})


class PaymentMethod(TypedDict):
    """A method of payment that can be used."""

    payment_id: str
    is_valid: bool


class Payments(Domain):
    """Knows the methods of payment of the seeds."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("GET /payments/{id}", 50, self._validate),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"transfers": []}

    def _validate(self, request: Request) -> PaymentMethod | Problem:
        payment_id = request.params["id"]
        if payment_id in EXPIRED:
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Payment method expired")
        if payment_id not in VALID:
            return Problem(HTTPStatus.NOT_FOUND, f"Payment method not found: {payment_id}")
        return PaymentMethod(payment_id=payment_id, is_valid=True)
