"""The inventory service."""

from typing import Annotated, Final, Literal, final

from pydantic import Field, TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.money import Price

__all__ = ("Inventory", "Reservation", "Stock")


@final
class Stock(UpstreamResponse):
    """What there is of a product, and what one of it costs."""

    model_config = example(product_id="prod-456", stock_level=100, available=True, unit_price="49.99")

    product_id: str
    stock_level: Annotated[int, Field(ge=0)]
    available: bool
    unit_price: Price


@final
class Reservation(UpstreamResponse):
    """So many of a product, put aside."""

    model_config = example(reservation_id="res-8d2f1c7a", is_reserved=True, quantity=1)

    reservation_id: str
    is_reserved: Literal[True]
    quantity: int


_STOCK: Final = TypeAdapter(Stock)
_RESERVATION: Final = TypeAdapter(Reservation)


@final
class _Wanted(UpstreamRequest):
    product_id: str
    quantity: int


@final
class Inventory:
    """What there is."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.release: Final = client.undo("inventory.release", ("reservations",))
        """Put back what a write of `reserve` has put aside."""

    def check(self, product_id: str, quantity: int = 1) -> Call[Stock, NotFound | Conflict | UpstreamFault]:
        """Say what there is of *product_id*; `NotFound` if it is unknown, `Conflict` if below *quantity*.

        An answer that says it is not available is a `Conflict` as well.
        """
        asked: Call[Stock, NotFound | Conflict | UpstreamFault] = self._client.get(
            "inventory.check",
            ("inventory", product_id),
            query=(("quantity", quantity),),
            answer=_STOCK,
            declared={404: NotFound, 409: Conflict},
        )
        return asked.ensure(lambda stock: stock.available, _unavailable)

    def reserve(
        self, product_id: str, quantity: int
    ) -> Write[Reservation, NotFound | Conflict | UpstreamFault]:
        """Put *quantity* of *product_id* aside: `NotFound` if it is unknown, `Conflict` if too few."""
        return self._client.write(
            "inventory.reserve",
            ("reservations",),
            _Wanted(product_id=product_id, quantity=quantity),
            answer=_RESERVATION,
            undo=self.release,
            fits=lambda reservation: reservation.quantity == quantity,
            declared={404: NotFound, 409: Conflict},
        )


def _unavailable(_: Stock) -> Conflict:
    return Conflict("The product is not available", source="inventory.check")
