"""The terms on which money moves, for those services that move it."""

from typing import final

from gateway.client.models import UpstreamRequest
from gateway.services.money import Money

__all__ = ("TransferTerms",)


@final
class TransferTerms(UpstreamRequest):
    """How much goes from where to where."""

    from_account: str
    to_account: str
    amount: Money
    currency: str
    reference: str | None
