"""The pipelines of the sample gateway, and the routes that serve them."""

from typing import Final

from gateway.api.pipeline_route.registration import Route
from gateway.pipelines.checkout import checkout
from gateway.pipelines.endpoints import post_purchase
from gateway.pipelines.feed import feed
from gateway.pipelines.orders import orders
from gateway.pipelines.purchases import purchases
from gateway.pipelines.transfers import transfers

__all__ = ("PIPELINES",)

PIPELINES: Final = (
    Route("POST", "/checkout", checkout),
    Route("POST", "/orders", orders, status=201),
    Route("GET", "/feed/{user_id}", feed, headers={"Cache-Control": "no-store"}),
    Route("POST", "/transfers", transfers, status=201),
    Route(
        "POST",
        "/purchases",
        purchases,
        status=201,
        endpoint=post_purchase,
        bearer=True,
        example={"token": "token-user-123"},
    ),
)
