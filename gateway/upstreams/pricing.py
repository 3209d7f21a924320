"""The pricing service."""

from decimal import Decimal
from typing import Final, final

from pydantic import TypeAdapter

from gateway.railway import Call, Conflict, NotFound, UpstreamFault
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.money import Money, Rate
from gateway.upstreams.shapes import Answer, Body

__all__ = ("Discount", "Pricing", "Tax")


@final
class Tax(Answer):
    """What the state takes."""

    rate: Rate
    amount: Money


@final
class Discount(Answer):
    """What a code takes off; nothing without a code."""

    code: str | None
    amount: Money


_TAX: Final = TypeAdapter(Tax)
_DISCOUNT: Final = TypeAdapter(Discount)


@final
class _Taxed(Body):
    subtotal: Money


@final
class _Discounted(Body):
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
        """Say what *code* takes off *subtotal*; `NotFound` if it is unknown, `Conflict` if it has expired."""
        return self._client.post(
            "pricing.discount",
            ("discounts",),
            _Discounted(code=code, subtotal=subtotal),
            answer=_DISCOUNT,
            declared={404: NotFound, 409: Conflict},
        )
