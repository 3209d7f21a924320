"""Inventory service: stock levels, prices and reservations."""

from typing import Annotated, Final, Literal, final

from pydantic import Field

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.operations.read_operation import ReadOperation
from gateway.client.operations.write_operation import WriteOperation
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.money import Price

__all__ = ("Inventory", "Reservation", "Stock")


@final
class Stock(UpstreamResponse):
    """The stock of a product. *unit_price* is the price per piece.

    *available* is false if the requested quantity cannot be sold.
    """

    model_config = example(product_id="prod-456", stock_level=100, available=True, unit_price="49.99")

    product_id: str
    stock_level: Annotated[int, Field(ge=0)]
    available: bool
    unit_price: Price


@final
class Reservation(UpstreamResponse):
    """A reservation of *quantity* pieces of a product.

    *product_id* is None if the service leaves it out. It is compared with the request, and not passed on.
    """

    model_config = example(reservation_id="res-8d2f1c7a", is_reserved=True, quantity=1)

    reservation_id: str
    is_reserved: Literal[True]
    quantity: int
    product_id: str | None = Field(default=None, exclude=True)


@final
class _ReservationRequest(UpstreamRequest):
    product_id: str
    quantity: int


@final
class Inventory:
    """Client of the inventory service."""

    def __init__(self, client: ServiceClient) -> None:
        self._check: ReadOperation[Stock, NotFound | Conflict] = client.get(
            "inventory.check",
            "/inventory/{product_id}",
            answer=Stock,
            declared={404: NotFound, 409: Conflict},
        )
        self.release: Final = client.undo.delete("inventory.release", "/reservations/{key}")
        """Undo of `reserve`: returns the pieces to the stock."""
        self._reserve: WriteOperation[Reservation, NotFound | Conflict] = client.write.post(
            "inventory.reserve",
            "/reservations",
            answer=Reservation,
            undo=self.release,
            declared={404: NotFound, 409: Conflict},
        )

    def check(self, product_id: str, quantity: int = 1) -> Call[Stock, NotFound | Conflict | UpstreamFault]:
        """Fetch the stock of a product (`GET /inventory/{product_id}?quantity=`).

        `NotFound` if the product does not exist; `Conflict` if fewer than *quantity* pieces are available.
        """
        call = self._check(
            product_id=product_id,
            query={"quantity": quantity},
            fits=lambda stock: stock.product_id == product_id,
        )
        return call.ensure(lambda stock: stock.available, _refuse_unavailable)

    def reserve(
        self, product_id: str, quantity: int
    ) -> Write[Reservation, NotFound | Conflict | UpstreamFault]:
        """Reserve *quantity* pieces of a product (`POST /reservations`).

        `NotFound` if the product does not exist; `Conflict` if too few pieces are in stock.
        """
        request = _ReservationRequest(product_id=product_id, quantity=quantity)
        return self._reserve(
            request,
            fits=lambda made: made.quantity == quantity and made.product_id in {product_id, None},
        )


def _refuse_unavailable(_: Stock) -> Conflict:
    return Conflict("The product is not available", source="inventory.check")
