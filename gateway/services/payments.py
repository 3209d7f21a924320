"""The payment service."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Invalid, NotFound, UpstreamFault, Write
from gateway.services.transfer_terms import TransferTerms

__all__ = ("Payment", "Payments", "Transfer")


@final
class Payment(UpstreamResponse):
    """A way to pay."""

    model_config = example(payment_id="pm-789", is_valid=True)

    payment_id: str
    is_valid: bool


@final
class Transfer(UpstreamResponse):
    """A transfer that was made."""

    model_config = example(transfer_id="trf-8d2f1c7a", status="executed")

    transfer_id: str
    status: Literal["executed"]


_PAYMENT: Final = TypeAdapter(Payment)
_TRANSFER: Final = TypeAdapter(Transfer)


@final
class Payments:
    """How it is paid."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.reverse_transfer: Final = client.undo("payments.reverse_transfer", ("transfers",))
        """Take a write of `execute_transfer` back."""

    def validate(self, payment_id: str) -> Call[Payment, NotFound | Invalid | UpstreamFault]:
        """Say that *payment_id* can pay; `NotFound` if it is unknown, `Invalid` if it cannot."""
        asked: Call[Payment, NotFound | Invalid | UpstreamFault] = self._client.get(
            "payments.validate",
            ("payments", payment_id),
            answer=_PAYMENT,
            declared={404: NotFound, 422: Invalid},
        )
        return asked.ensure(lambda payment: payment.is_valid, _not_valid)

    def execute_transfer(self, terms: TransferTerms) -> Write[Transfer, UpstreamFault]:
        """Move money on *terms*; nobody has asked here whether the accounts can bear it."""
        return self._client.write(
            "payments.execute_transfer", ("transfers",), terms, answer=_TRANSFER, undo=self.reverse_transfer
        )


def _not_valid(_: Payment) -> Invalid:
    reason = "The payment method is not valid"
    return Invalid(reason, source="payments.validate", violations=(("", (reason,)),))
