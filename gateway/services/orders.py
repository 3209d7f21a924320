"""The order service."""

from typing import Final, Literal, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Order", "Orders")


@final
class Order(UpstreamResponse):
    """An order that was taken."""

    model_config = example(order_id="ord-8d2f1c7a", status="created")

    order_id: str
    status: Literal["created"]


_ORDER: Final = TypeAdapter(Order)


@final
class _Ordered(UpstreamRequest):
    user_id: str
    product_id: str
    quantity: int


@final
class Orders:
    """Who has ordered what."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client
        self.cancel: Final = client.undo("orders.cancel", ("orders",))
        """Cancel what a write of `create` has ordered."""

    def create(self, user_id: str, product_id: str, quantity: int) -> Write[Order, UpstreamFault]:
        """Order *quantity* of *product_id* for *user_id*; nobody asks here whether they exist."""
        return self._client.write(
            "orders.create",
            ("orders",),
            _Ordered(user_id=user_id, product_id=product_id, quantity=quantity),
            answer=_ORDER,
            undo=self.cancel,
        )
