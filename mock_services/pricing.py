"""The pricing service: taxes and discounts."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Final, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.answers import Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Strict
from mock_services.money import Money, money
from mock_services.requests import Request

__all__ = ["Discount", "DiscountRequest", "Pricing", "Tax", "TaxRequest"]

TAX_RATE: Final = Decimal("0.0825")
DISCOUNTS: Final = {"SAVE10": Decimal("0.10")}
EXPIRED: Final = frozenset({"EXPIRED"})


class TaxRequest(Strict):
    """What is to be taxed."""

    subtotal: Money


class DiscountRequest(Strict):
    """The code that somebody has typed in, if any, and what they would pay without."""

    code: Annotated[str, Field(max_length=64)] | None = None
    subtotal: Money


class Tax(TypedDict):
    """The tax on a subtotal."""

    rate: str
    amount: str


class Discount(TypedDict):
    """What a code takes off."""

    code: str | None
    amount: str


class Pricing(Domain):
    """Calculates; nothing is written."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /tax", 20, self._tax), Endpoint("POST /discounts", 20, self._discount))

    def _tax(self, request: Request) -> Tax:
        subtotal = TaxRequest.model_validate_json(request.body).subtotal
        return Tax(rate=str(TAX_RATE), amount=money(subtotal * TAX_RATE))

    def _discount(self, request: Request) -> Discount | Problem:
        wanted = DiscountRequest.model_validate_json(request.body)
        if wanted.code is None:
            return Discount(code=None, amount="0.00")
        if wanted.code in EXPIRED:
            return Problem(HTTPStatus.CONFLICT, "Discount code expired")
        if wanted.code not in DISCOUNTS:
            return Problem(HTTPStatus.NOT_FOUND, f"Discount code not found: {wanted.code}")
        return Discount(code=wanted.code, amount=money(wanted.subtotal * DISCOUNTS[wanted.code]))
