"""Order service: creates and cancels orders."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Orders", "PlacedOrder")


@final
class PlacedOrder(UpstreamResponse):
    """An order that has been created."""

    model_config = example(order_id="ord-8d2f1c7a", status="created")

    order_id: str
    status: Literal["created"]


_ORDER: Final = TypeAdapter(PlacedOrder)


@final
class _OrderRequest(UpstreamRequest):
    user_id: str
    product_id: str
    quantity: int


@final
class Orders:
    """Client of the order service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.cancel: Final = client.undo("orders.cancel", ("orders",))
        """Undo of `create`: cancels the order (`DELETE /orders/{key}`)."""

    def create(self, user_id: str, product_id: str, quantity: int) -> Write[PlacedOrder, UpstreamFault]:
        """Create an order (`POST /orders`); the service checks neither the user nor the product."""
        return self._client.write(
            "orders.create",
            ("orders",),
            _OrderRequest(user_id=user_id, product_id=product_id, quantity=quantity),
            answer=_ORDER,
            undo=self.cancel,
        )
