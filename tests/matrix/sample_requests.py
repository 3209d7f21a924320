"""For each pipeline, a successful request that makes all calls of the pipeline."""

from typing import Final

from examples.courier.main import PIPELINES as COURIER_PIPELINES
from examples.courier.pipelines import (
    DeliveryRequest,
    TourRequest,
    assignments,
    deliveries,
    overview,
    tours,
)
from gateway.pipelines import PIPELINES
from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.pipelines.feed import feed
from gateway.pipelines.orders import OrderRequest, orders
from gateway.pipelines.purchases import PurchaseRequest, purchases
from gateway.pipelines.transfers import TransferRequest, transfers
from gateway.services import SERVICES
from tests.matrix.courier_backend import SERVICES_WITH_TOKENS, CourierBackend
from tests.matrix.mock_backend import MockBackend
from tests.matrix.subject import Body, Sample, Subject

__all__ = ("COURIER", "COURIER_SAMPLES", "SAMPLES", "SHIPPED")

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
_TOUR: Final[Body] = {"stops": ["Brandenburg Gate", "Reichstag", "Elbphilharmonie"]}
_DELIVERY: Final[Body] = {"customer": "cus_ada", "sender": "Reichstag", "receiver": "Elbphilharmonie"}
_PURCHASE: Final[Body] = {"user_id": _USER, "product_id": "prod-456"}


SHIPPED: Final = Subject(SERVICES, PIPELINES, MockBackend, lateness=12.0)
"""The shipped gateway. The mock services remember an undo, and refuse a write that arrives after it."""

COURIER: Final = Subject(
    SERVICES_WITH_TOKENS,
    COURIER_PIPELINES,
    CourierBackend,
    lateness=1.2,
    settling={"payments.refund": 3.0, "tickets.close": 0.5},
    lag={"payments.refund": 1.0},
)
"""The gateway of `examples/courier`. Its APIs process a write within the settling time, or never."""

SAMPLES: Final = (
    Sample(
        SHIPPED,
        "checkout",
        "POST",
        "/checkout",
        lambda context, up: up.run(checkout.on(context), CheckoutRequest.model_validate(_ORDER)),
        body=_ORDER,
    ),
    Sample(
        SHIPPED,
        "orders",
        "POST",
        "/orders",
        lambda context, up: up.run(orders.on(context), OrderRequest.model_validate(_ORDER)),
        body=_ORDER,
    ),
    Sample(
        SHIPPED,
        "feed",
        "GET",
        "/feed/{user_id}",
        lambda context, up: up.run(feed.on(context), _USER),
        path=f"/feed/{_USER}",
    ),
    Sample(
        SHIPPED,
        "transfers",
        "POST",
        "/transfers",
        lambda context, up: up.run(transfers.on(context), TransferRequest.model_validate(_TRANSFER)),
        body=_TRANSFER,
    ),
    Sample(
        SHIPPED,
        "purchases",
        "POST",
        "/purchases",
        lambda context, up: up.run(purchases.on(context), PurchaseRequest.model_validate(_PURCHASE), _TOKEN),
        body=_PURCHASE,
        headers={"Authorization": f"Bearer {_TOKEN}"},
    ),
)

COURIER_SAMPLES: Final = (
    Sample(
        COURIER,
        "tours",
        "POST",
        "/tours",
        lambda context, up: up.run(tours.on(context), TourRequest.model_validate(_TOUR)),
        body=_TOUR,
    ),
    Sample(
        COURIER,
        "deliveries",
        "POST",
        "/deliveries",
        lambda context, up: up.run(deliveries.on(context), DeliveryRequest.model_validate(_DELIVERY)),
        body=_DELIVERY,
    ),
    Sample(
        COURIER,
        "overview",
        "GET",
        "/deliveries/{ticket_id}/{charge_id}",
        lambda context, up: up.run(overview.on(context), 1000, "ch_1000"),
        path="/deliveries/1000/ch_1000",
    ),
    Sample(
        COURIER,
        "assignments",
        "PATCH",
        "/tickets/{ticket_id}",
        lambda context, up: up.run(assignments.on(context), 1000),
        path="/tickets/1000",
    ),
)
