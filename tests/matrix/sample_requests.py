"""One request to each pipeline that goes well and makes all of its calls."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.pipelines.feed import feed
from gateway.pipelines.orders import OrderRequest, orders
from gateway.pipelines.purchases import PurchaseRequest, purchases
from gateway.pipelines.transfers import TransferRequest, transfers
from gateway.railway import Failure, Result, RunContext
from gateway.services import Upstreams

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
    """The request, and *run*, the same without HTTP; *route* is what OpenAPI calls its path."""

    name: str
    method: str
    route: str
    run: Callable[[RunContext, Upstreams], Awaitable[Result[object, Failure]]]
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
        lambda around, up: checkout.on(around)(CheckoutRequest.model_validate(_ORDER), up),
        body=_ORDER,
    ),
    Sample(
        "orders",
        "POST",
        "/orders",
        lambda around, up: orders.on(around)(OrderRequest.model_validate(_ORDER), up),
        body=_ORDER,
    ),
    Sample(
        "feed",
        "GET",
        "/feed/{user_id}",
        lambda around, up: feed.on(around)(_USER, up),
        path=f"/feed/{_USER}",
    ),
    Sample(
        "transfers",
        "POST",
        "/transfers",
        lambda around, up: transfers.on(around)(TransferRequest.model_validate(_TRANSFER), up),
        body=_TRANSFER,
    ),
    Sample(
        "purchases",
        "POST",
        "/purchases",
        lambda around, up: purchases.on(around)(PurchaseRequest.model_validate(_PURCHASE), _TOKEN, up),
        body=_PURCHASE,
        headers={"Authorization": f"Bearer {_TOKEN}"},
    ),
)
