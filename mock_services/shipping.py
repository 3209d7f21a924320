"""The shipping service: what it costs to send something."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.answers import Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Level, Strict
from mock_services.money import money
from mock_services.requests import Request

__all__ = ["Quote", "QuoteRequest", "Shipping"]

LARGE_STOCK: Final = 50
RATE: Final = Decimal("9.99")
LARGE_STOCK_RATE: Final = Decimal("12.99")


class QuoteRequest(Strict):
    """Where to, and how many there are."""

    address: str
    stock_level: Level


class Quote(TypedDict):
    """Who carries it, and for how much."""

    carrier: str
    rate: str


class Shipping(Domain):
    """Quotes; nothing is written."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /quotes", 40, self._quote),)

    def _quote(self, request: Request) -> Quote | Problem:
        wanted = QuoteRequest.model_validate_json(request.body)
        if not wanted.address.strip():
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Shipping address required")
        rate = LARGE_STOCK_RATE if wanted.stock_level > LARGE_STOCK else RATE
        return Quote(carrier="USPS", rate=money(rate))
