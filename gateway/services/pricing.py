"""The pricing service."""

from decimal import Decimal
from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import BadAnswer, Call, Conflict, NotFound, UpstreamFault
from gateway.services.money import Money, Price, Rate

__all__ = ("Discount", "Pricing", "Tax")


@final
class Tax(UpstreamResponse):
    """What the state takes."""

    model_config = example(rate="0.0825", amount="4.12")

    rate: Rate
    amount: Price


@final
class Discount(UpstreamResponse):
    """What a code takes off; nothing without a code."""

    model_config = example(code=None, amount="0.00")

    code: str | None
    amount: Price


_TAX: Final = TypeAdapter(Tax)
_DISCOUNT: Final = TypeAdapter(Discount)


@final
class _Taxed(UpstreamRequest):
    subtotal: Money


@final
class _Discounted(UpstreamRequest):
    code: str | None
    subtotal: Money


@final
class Pricing:
    """What it costs."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def tax(self, subtotal: Decimal) -> Call[Tax, UpstreamFault]:
        """Say what the tax on *subtotal* is."""
        return self._client.post("pricing.tax", ("tax",), _Taxed(subtotal=subtotal), answer=_TAX)

    def discount(
        self, code: str | None, subtotal: Decimal
    ) -> Call[Discount, NotFound | Conflict | UpstreamFault]:
        """Say what *code* takes off *subtotal*; `NotFound` if it is unknown, `Conflict` if it has expired.

        An answer that takes off more than there is is a `BadAnswer`.
        """
        asked: Call[Discount, NotFound | Conflict | UpstreamFault] = self._client.post(
            "pricing.discount",
            ("discounts",),
            _Discounted(code=code, subtotal=subtotal),
            answer=_DISCOUNT,
            declared={404: NotFound, 409: Conflict},
        )
        return asked.ensure(lambda discount: discount.amount <= subtotal, _too_much)


def _too_much(_: Discount) -> BadAnswer:
    return BadAnswer("The pricing service gave an answer that cannot be used", source="pricing.discount")
