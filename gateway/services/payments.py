"""Payment service: payment methods and transfers."""

from typing import Final, Literal, final

from gateway.client.models import UpstreamResponse, example
from gateway.client.operations.read_operation import ReadOperation
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Invalid, NotFound, UpstreamFault, Write
from gateway.services.transfer_terms import TransferTerms

__all__ = ("Payment", "Payments", "Transfer")


@final
class Payment(UpstreamResponse):
    """A payment method."""

    model_config = example(payment_id="pm-789", is_valid=True)

    payment_id: str
    is_valid: bool


@final
class Transfer(UpstreamResponse):
    """A transfer that has been executed."""

    model_config = example(transfer_id="trf-8d2f1c7a", status="executed")

    transfer_id: str
    status: Literal["executed"]


_UNUSABLE: Final = Invalid.at("payment_id")
"""The payment method of the request cannot be used."""


@final
class Payments:
    """Client of the payment service."""

    def __init__(self, client: ServiceClient) -> None:
        self._validate: ReadOperation[Payment, NotFound | Invalid] = client.get(
            "payments.validate",
            "/payments/{payment_id}",
            answer=Payment,
            declared={404: NotFound, 422: _UNUSABLE},
        )
        self.reverse_transfer: Final = client.undo.delete("payments.reverse_transfer", "/transfers/{key}")
        """Undo of `execute_transfer`: reverses the transfer."""
        self._execute_transfer = client.write.post(
            "payments.execute_transfer", "/transfers", answer=Transfer, undo=self.reverse_transfer
        )

    def validate(self, payment_id: str) -> Call[Payment, NotFound | Invalid | UpstreamFault]:
        """Validate a payment method (`GET /payments/{payment_id}`).

        `NotFound` if the method does not exist; `Invalid`, for the field `payment_id` of the request, if the
        method cannot be used, for instance because it has expired.
        """
        call = self._validate(payment_id=payment_id, fits=lambda payment: payment.payment_id == payment_id)
        return call.ensure(lambda payment: payment.is_valid, _refuse_invalid_payment)

    def execute_transfer(self, terms: TransferTerms) -> Write[Transfer, UpstreamFault]:
        """Execute a transfer (`POST /transfers`); the service does not check the accounts."""
        return self._execute_transfer(terms)


def _refuse_invalid_payment(_: Payment) -> Invalid:
    return _UNUSABLE("The payment method is not valid", source="payments.validate")
