"""The inventory service."""

from typing import Annotated, Final, final

from pydantic import Field, TypeAdapter

from gateway.railway import Call, Conflict, NotFound, UpstreamFault
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.money import Price
from gateway.upstreams.shapes import Answer

__all__ = ("Inventory", "Stock")


@final
class Stock(Answer):
    """What there is of a product, and what one of it costs."""

    product_id: str
    stock_level: Annotated[int, Field(ge=0)]
    available: bool
    unit_price: Price


_STOCK: Final = TypeAdapter(Stock)


@final
class Inventory:
    """What there is."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def check(self, product_id: str, quantity: int = 1) -> Call[Stock, NotFound | Conflict | UpstreamFault]:
        """Say what there is of *product_id*; `NotFound` if it is unknown, `Conflict` if below *quantity*."""
        return self._client.get(
            "inventory.check",
            ("inventory", product_id),
            query=(("quantity", quantity),),
            answer=_STOCK,
            declared={404: NotFound, 409: Conflict},
        )
