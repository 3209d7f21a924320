"""Terms of a transfer, which are sent to the payment service and to the account service."""

from typing import final

from gateway.client.models import UpstreamRequest
from gateway.services.money import Money

__all__ = ("TransferTerms",)


@final
class TransferTerms(UpstreamRequest):
    """Body of a transfer and of its posting; *amount* is in *currency* (ISO 4217)."""

    from_account: str
    to_account: str
    amount: Money
    currency: str
    reference: str | None
