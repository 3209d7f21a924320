"""Purchase pipeline: creates an order for an authenticated user, then announces it."""

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
from gateway.services.analytics import Analytics, Event
from gateway.services.auth import Auth
from gateway.services.inventory import Inventory, Stock
from gateway.services.notifications import Notice, Notifications
from gateway.services.orders import Orders, PlacedOrder
from gateway.services.users import User, Users

__all__ = ("PurchaseError", "PurchaseRequest", "PurchaseResult", "purchases")

PurchaseError: TypeAlias = Unauthorized | Forbidden | NotFound | Conflict | UpstreamFault | Stuck | Aggregate


class PurchaseRequest(RequestBody):
    """The order to create; *user_id* must be the user of the bearer token."""

    model_config = example(user_id="user-123", product_id="prod-456", quantity=1)

    user_id: Id
    product_id: Id
    quantity: Quantity = 1


class PurchaseResult(ResponseBody):
    """The order. *notification* or *analytics* is null if that announcement failed."""

    order: PlacedOrder
    user: User
    inventory: Stock
    notification: Notice | None
    analytics: Event | None
    degraded: tuple[str, ...] = Field(
        default_factory=null_fields, description="names of the optional fields that are null"
    )


@railway
async def purchases(
    run: Run[PurchaseError],
    purchase: PurchaseRequest,
    token: str,
    auth: Auth,
    users: Users,
    orders: Orders,
    inventory: Inventory,
    notifications: Notifications,
    analytics: Analytics,
) -> PurchaseResult:
    """Create an order for the user of the bearer token, then announce it."""
    _, user = await run.stage(
        "identity",
        auth.verify(token, purchase.user_id),
        users.fetch(purchase.user_id),
        policy=FAIL_FAST,
    )
    order, stock = await run.commit(
        "order",
        orders.create(purchase.user_id, purchase.product_id, purchase.quantity),
        inventory.check(purchase.product_id, purchase.quantity),
        policy=CONCURRENT,
    )
    notification, event = await run.stage(
        "announce",
        notifications.send(purchase.user_id, order.order_id).best_effort(None),
        analytics.track("purchase", order.order_id).best_effort(None),
    )
    return PurchaseResult(order=order, user=user, inventory=stock, notification=notification, analytics=event)
