"""The shipping service: shipping quotes."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.http.response import Problem
from mock_services.values.fields import Level, RequestModel
from mock_services.values.money import format_money

__all__ = ["Quote", "QuoteRequest", "Shipping"]

LARGE_STOCK: Final = 50
RATE: Final = Decimal("9.99")
LARGE_STOCK_RATE: Final = Decimal("12.99")


class QuoteRequest(RequestModel):
    """The shipping address and the stock level of the product."""

    address: str
    stock_level: Level


class Quote(TypedDict):
    """A carrier and its rate."""

    carrier: str
    rate: str


class Shipping(MockService):
    """Shipping service: calculates quotes; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /quotes", 40, self._quote),)

    def _quote(self, request: Request) -> Quote | Problem:
        body = QuoteRequest.model_validate_json(request.body)
        if not body.address.strip():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Shipping address required")
        rate = LARGE_STOCK_RATE if body.stock_level > LARGE_STOCK else RATE
        return Quote(carrier="USPS", rate=format_money(rate))
