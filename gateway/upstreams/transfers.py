"""The terms on which money moves, for those services that move it."""

from typing import final

from gateway.upstreams.money import Money
from gateway.upstreams.shapes import Body

__all__ = ("TransferTerms",)


@final
class TransferTerms(Body):
    """How much goes from where to where."""

    from_account: str
    to_account: str
    amount: Money
    currency: str
    reference: str | None
