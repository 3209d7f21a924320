"""The pricing service: taxes and discounts."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Final, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.http.response import Problem
from mock_services.values.fields import RequestModel
from mock_services.values.money import Money, format_money

__all__ = ["Discount", "DiscountRequest", "Pricing", "Tax", "TaxRequest"]

TAX_RATE: Final = Decimal("0.0825")
DISCOUNTS: Final = {"SAVE10": Decimal("0.10")}
EXPIRED: Final = frozenset({"EXPIRED"})


class TaxRequest(RequestModel):
    """The amount to be taxed."""

    subtotal: Money


class DiscountRequest(RequestModel):
    """A discount code, if any, and the subtotal that it applies to."""

    code: Annotated[str, Field(max_length=64)] | None = None
    subtotal: Money


class Tax(TypedDict):
    """The tax on a subtotal."""

    rate: str
    amount: str


class Discount(TypedDict):
    """The discount of a code."""

    code: str | None
    amount: str


class Pricing(MockService):
    """Pricing service: calculates taxes and discounts; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST /tax", 20, self._calculate_tax),
            Endpoint("POST /discounts", 20, self._calculate_discount),
        )

    def _calculate_tax(self, request: Request) -> Tax:
        subtotal = TaxRequest.model_validate_json(request.body).subtotal
        return Tax(rate=str(TAX_RATE), amount=format_money(subtotal * TAX_RATE))

    def _calculate_discount(self, request: Request) -> Discount | Problem:
        body = DiscountRequest.model_validate_json(request.body)
        if body.code is None:
            return Discount(code=None, amount="0.00")
        if body.code in EXPIRED:
            return Problem(HTTPStatus.CONFLICT, "Discount code expired")
        if body.code not in DISCOUNTS:
            return Problem(HTTPStatus.NOT_FOUND, f"Discount code not found: {body.code}")
        return Discount(code=body.code, amount=format_money(body.subtotal * DISCOUNTS[body.code]))
