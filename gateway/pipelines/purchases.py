"""Purchases: somebody who can show who they are orders, and the world is told."""

from typing import TypeAlias

from pydantic import Field

from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody, null_fields
from gateway.client.models import example
from gateway.pipelines.fields import Quantity
from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    Aggregate,
    Conflict,
    Forbidden,
    NotFound,
    Run,
    Stuck,
    Unauthorized,
    UpstreamFault,
    railway,
)
from gateway.services import Upstreams
from gateway.services.analytics import Event
from gateway.services.inventory import Stock
from gateway.services.notifications import Notice
from gateway.services.orders import Order
from gateway.services.users import User

__all__ = ("PurchaseError", "PurchaseRequest", "PurchaseResult", "purchases")

PurchaseError: TypeAlias = Unauthorized | Forbidden | NotFound | Conflict | UpstreamFault | Stuck | Aggregate


class PurchaseRequest(RequestBody):
    """Who wants how many of what."""

    model_config = example(user_id="user-123", product_id="prod-456", quantity=1)

    user_id: Id
    product_id: Id
    quantity: Quantity = 1


class PurchaseResult(ResponseBody):
    """The order, and whether the world was told of it."""

    order: Order
    user: User
    inventory: Stock
    notification: Notice | None
    analytics: Event | None
    degraded: tuple[str, ...] = Field(default_factory=null_fields, description="the fields that are missing")


@railway
async def purchases(
    run: Run[PurchaseError], purchase: PurchaseRequest, token: str, up: Upstreams
) -> PurchaseResult:
    """Find out who it is, order while the stock is looked at, then tell buyer and statistics."""
    _, user = await run.stage(
        "identity",
        up.auth.verify(token, purchase.user_id),
        up.users.fetch(purchase.user_id),
        policy=FAIL_FAST,
    )
    order, stock = await run.commit(
        "order",
        up.orders.create(purchase.user_id, purchase.product_id, purchase.quantity),
        up.inventory.check(purchase.product_id, purchase.quantity),
        policy=CONCURRENT,
    )
    notification, event = await run.stage(
        "announce",
        up.notifications.send(purchase.user_id, order.order_id).best_effort(None),
        up.analytics.track("purchase", order.order_id).best_effort(None),
    )
    return PurchaseResult(order=order, user=user, inventory=stock, notification=notification, analytics=event)
