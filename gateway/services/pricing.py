"""Pricing service: taxes and discounts."""

from decimal import Decimal
from typing import final

from gateway.client.answers.leniency import OrNone, Text
from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.operations.read_operation import ReadOperation
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Conflict, NotFound, UpstreamFault
from gateway.services.money import Money, Price, ShownRate

__all__ = ("Discount", "Pricing", "Tax")


@final
class Tax(UpstreamResponse):
    """The tax on a subtotal. *rate* is a fraction: 0.0825 is 8.25 percent."""

    model_config = example(rate="0.0825", amount="4.12")

    rate: OrNone[ShownRate]
    amount: Price


@final
class Discount(UpstreamResponse):
    """The discount on a subtotal. *amount* is zero without a *code*."""

    model_config = example(code=None, amount="0.00")

    code: OrNone[Text]
    amount: Price


@final
class _TaxRequest(UpstreamRequest):
    subtotal: Money


@final
class _DiscountRequest(UpstreamRequest):
    code: str | None
    subtotal: Money


@final
class Pricing:
    """Client of the pricing service."""

    def __init__(self, client: ServiceClient) -> None:
        self._tax = client.post("pricing.tax", "/tax", answer=Tax)
        self._discount: ReadOperation[Discount, NotFound | Conflict] = client.post(
            "pricing.discount", "/discounts", answer=Discount, declared={404: NotFound, 409: Conflict}
        )

    def tax(self, subtotal: Decimal) -> Call[Tax, UpstreamFault]:
        """Calculate the tax on *subtotal* (`POST /tax`)."""
        return self._tax(_TaxRequest(subtotal=subtotal))

    def discount(
        self, code: str | None, subtotal: Decimal
    ) -> Call[Discount, NotFound | Conflict | UpstreamFault]:
        """Calculate the discount on *subtotal* (`POST /discounts`); *code* is None without a discount code.

        `NotFound` if the code does not exist; `Conflict` if it has expired; `BadAnswer` if the discount
        exceeds the subtotal.
        """
        request = _DiscountRequest(code=code, subtotal=subtotal)
        return self._discount(request, fits=lambda discount: discount.amount <= subtotal)
