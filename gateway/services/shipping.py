"""The shipping service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Invalid, UpstreamFault
from gateway.services.inventory import Stock
from gateway.services.money import Price

__all__ = ("Quote", "Shipping")


@final
class Quote(UpstreamResponse):
    """Who would carry it, and for how much."""

    model_config = example(carrier="USPS", rate="12.99")

    carrier: str
    rate: Price


_QUOTE: Final = TypeAdapter(Quote)


@final
class _Parcel(UpstreamRequest):
    address: str
    stock_level: int


@final
class Shipping:
    """How it gets there."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def quote(self, address: str, stock: Stock) -> Call[Quote, Invalid | UpstreamFault]:
        """Say what it costs to send *stock* to *address*; `Invalid` if nobody can find that."""
        return self._client.post(
            "shipping.quote",
            ("quotes",),
            _Parcel(address=address, stock_level=stock.stock_level),
            answer=_QUOTE,
            declared={422: Invalid},
        )
