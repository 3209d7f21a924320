"""Shipping service: shipping quotes."""

from typing import final

from gateway.client.answers.leniency import Text
from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Invalid, UpstreamFault
from gateway.services.inventory import Stock
from gateway.services.money import Price

__all__ = ("Quote", "Shipping")


@final
class Quote(UpstreamResponse):
    """A shipping quote: the carrier, and its price (*rate*)."""

    model_config = example(carrier="USPS", rate="12.99")

    carrier: Text
    rate: Price


@final
class _QuoteRequest(UpstreamRequest):
    address: str
    stock_level: int


@final
class Shipping:
    """Client of the shipping service."""

    def __init__(self, client: ServiceClient) -> None:
        self._quote = client.post("shipping.quote", "/quotes", answer=Quote, declared={422: Invalid})

    def quote(self, address: str, stock: Stock) -> Call[Quote, Invalid | UpstreamFault]:
        """Quote the shipping of a product to *address* (`POST /quotes`).

        `Invalid` if the service rejects the address.
        """
        return self._quote(_QuoteRequest(address=address, stock_level=stock.stock_level))
