"""Terms of a transfer, which the payment service and the account service share."""

from typing import final

from gateway.client.models import UpstreamRequest
from gateway.services.money import Money

__all__ = ("TransferTerms",)


@final
class TransferTerms(UpstreamRequest):
    """A transfer of *amount*, in *currency* (ISO 4217), from one account to another."""

    from_account: str
    to_account: str
    amount: Money
    currency: str
    reference: str | None
