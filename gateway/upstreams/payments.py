"""The payment service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.railway import Call, Invalid, NotFound, UpstreamFault
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.shapes import Answer

__all__ = ("Payment", "Payments")


@final
class Payment(Answer):
    """A way to pay."""

    payment_id: str
    is_valid: bool


_PAYMENT: Final = TypeAdapter(Payment)


@final
class Payments:
    """How it is paid."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def validate(self, payment_id: str) -> Call[Payment, NotFound | Invalid | UpstreamFault]:
        """Say whether *payment_id* can pay; `NotFound` if it is unknown, `Invalid` if it has expired."""
        return self._client.get(
            "payments.validate",
            ("payments", payment_id),
            answer=_PAYMENT,
            declared={404: NotFound, 422: Invalid},
        )
