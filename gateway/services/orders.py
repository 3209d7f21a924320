"""Order service: creates and cancels orders."""

from typing import Final, Literal, final

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


@final
class _OrderRequest(UpstreamRequest):
    user_id: str
    product_id: str
    quantity: int


@final
class Orders:
    """Client of the order service."""

    def __init__(self, client: ServiceClient) -> None:
        self.cancel: Final = client.undo.delete("orders.cancel", "/orders/{key}")
        """Undo of `create`: cancels the order."""
        self._create = client.write.post("orders.create", "/orders", answer=PlacedOrder, undo=self.cancel)

    def create(self, user_id: str, product_id: str, quantity: int) -> Write[PlacedOrder, UpstreamFault]:
        """Create an order (`POST /orders`); the service checks neither the user nor the product."""
        return self._create(_OrderRequest(user_id=user_id, product_id=product_id, quantity=quantity))
