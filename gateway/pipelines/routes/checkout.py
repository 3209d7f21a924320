"""POST /checkout."""

from typing import Final

from fastapi import APIRouter, Response

from gateway.api.openapi.document import asking, responses
from gateway.api.pipeline_route.route import PipelineRequest, PipelineRoute
from gateway.pipelines.checkout import CheckoutRequest, CheckoutResult, checkout
from gateway.services import Upstreams

__all__ = ("router",)

_ANSWER: Final = {
    "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
    "payment": {"payment_id": "pm-789", "is_valid": True},
    "fraud_check": {"is_safe": True, "risk_level": "Low"},
    "shipping": {"carrier": "USPS", "rate": "12.99"},
    "tax": {"rate": "0.0825", "amount": "4.12"},
    "discount": {"code": "SAVE10", "amount": "5.00"},
    "subtotal": "49.99",
    "total": "62.10",
}


def router(up: Upstreams) -> APIRouter:
    """Make the route; its pipeline calls *up*."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.post(
        "/checkout",
        summary="Can this order be paid, shipped and priced?",
        response_model=CheckoutResult,
        responses=responses(checkout, example=_ANSWER),
        openapi_extra=asking(CheckoutRequest),
    )
    async def post_checkout(order: CheckoutRequest, request: PipelineRequest) -> Response:
        """Gather everything a buyer needs to see before the order; nothing is changed anywhere.

        Three stages: *core data* (user, stock, payment method), *assessment* (fraud, shipping), *pricing*
        (tax, discount). The calls of a stage run in parallel, and a stage that fails ends the request.
        """
        return request.answer(await checkout.on(request.context)(order, up))

    return routes
