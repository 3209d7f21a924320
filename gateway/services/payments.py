"""Payment service: payment methods and transfers."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
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


_PAYMENT: Final = TypeAdapter(Payment)
_TRANSFER: Final = TypeAdapter(Transfer)


@final
class Payments:
    """Client of the payment service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.reverse_transfer: Final = client.undo("payments.reverse_transfer", ("transfers",))
        """Undo of `execute_transfer`: reverses the transfer (`DELETE /transfers/{key}`)."""

    def validate(self, payment_id: str) -> Call[Payment, NotFound | Invalid | UpstreamFault]:
        """Validate a payment method (`GET /payments/{payment_id}`).

        `NotFound` if the method does not exist; `Invalid` if it cannot be used, for instance because it has
        expired.
        """
        call: Call[Payment, NotFound | Invalid | UpstreamFault] = self._client.get(
            "payments.validate",
            ("payments", payment_id),
            answer=_PAYMENT,
            declared={404: NotFound, 422: Invalid},
        )
        return call.ensure(lambda payment: payment.is_valid, _refuse_invalid_payment)

    def execute_transfer(self, terms: TransferTerms) -> Write[Transfer, UpstreamFault]:
        """Execute a transfer (`POST /transfers`); the service does not check the accounts."""
        return self._client.write(
            "payments.execute_transfer", ("transfers",), terms, answer=_TRANSFER, undo=self.reverse_transfer
        )


def _refuse_invalid_payment(_: Payment) -> Invalid:
    reason = "The payment method is not valid"
    return Invalid(reason, source="payments.validate", violations=(("", (reason,)),))
