"""For each pipeline, a successful request that makes all calls of the pipeline."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.pipelines.feed import feed
from gateway.pipelines.orders import OrderRequest, orders
from gateway.pipelines.purchases import PurchaseRequest, purchases
from gateway.pipelines.transfers import TransferRequest, transfers
from gateway.railway import Failure, Result, RunContext
from tests.shipped_services import ShippedServices

__all__ = ("SAMPLES", "Sample")

Body: TypeAlias = Mapping[str, str | int]

_USER: Final = "user-123"
_TOKEN: Final = f"token-{_USER}"
_ORDER: Final[Body] = {
    "user_id": _USER,
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
_TRANSFER: Final[Body] = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
}
_PURCHASE: Final[Body] = {"user_id": _USER, "product_id": "prod-456"}


@final
@dataclass(frozen=True)
class Sample:
    """A request; *run* runs the same pipeline without HTTP, *route* is the path template in OpenAPI."""

    name: str
    method: str
    route: str
    run: Callable[[RunContext, ShippedServices], Awaitable[Result[object, Failure]]]
    path: str = ""
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def target(self) -> str:
        return self.path or self.route


SAMPLES: Final = (
    Sample(
        "checkout",
        "POST",
        "/checkout",
        lambda context, up: up.run(checkout.on(context), CheckoutRequest.model_validate(_ORDER)),
        body=_ORDER,
    ),
    Sample(
        "orders",
        "POST",
        "/orders",
        lambda context, up: up.run(orders.on(context), OrderRequest.model_validate(_ORDER)),
        body=_ORDER,
    ),
    Sample(
        "feed",
        "GET",
        "/feed/{user_id}",
        lambda context, up: up.run(feed.on(context), _USER),
        path=f"/feed/{_USER}",
    ),
    Sample(
        "transfers",
        "POST",
        "/transfers",
        lambda context, up: up.run(transfers.on(context), TransferRequest.model_validate(_TRANSFER)),
        body=_TRANSFER,
    ),
    Sample(
        "purchases",
        "POST",
        "/purchases",
        lambda context, up: up.run(purchases.on(context), PurchaseRequest.model_validate(_PURCHASE), _TOKEN),
        body=_PURCHASE,
        headers={"Authorization": f"Bearer {_TOKEN}"},
    ),
)
