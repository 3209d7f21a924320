"""POST /orders."""

from typing import Final

from fastapi import APIRouter, Response

from gateway.api.idempotency.commit_request import CommitRequest
from gateway.api.openapi.document import asking, responses
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.pipelines.orders import OrderRequest, OrderResult, orders
from gateway.services import Upstreams

__all__ = ("router",)

_ANSWER: Final = {
    "order_id": "ord-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e",
    "status": "confirmed",
    "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
    "payment": {"payment_id": "pm-789", "is_valid": True},
    "fraud_check": {"is_safe": True, "risk_level": "Low"},
    "shipping": {"carrier": "USPS", "rate": "12.99"},
    "reservation": {"reservation_id": "res-8d2f1c7a", "is_reserved": True, "quantity": 1},
    "total": "62.98",
}


def router(up: Upstreams) -> APIRouter:
    """Make the route; its pipeline calls *up*."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.post(
        "/orders",
        summary="Order this",
        status_code=201,
        response_model=OrderResult,
        responses=responses(orders, status=201, example=_ANSWER),
        openapi_extra=asking(OrderRequest),
    )
    async def post_order(order: OrderRequest, request: CommitRequest) -> Response:
        """Check buyer, payment and stock, then put the goods aside.

        Three stages: *core data* (user, stock; the first failure ends it), *verification* (payment method,
        fraud) and *fulfilment*, which commits: shipping is priced while the goods are reserved, and they are
        released again if it cannot be.
        """
        return await request.commit(orders, order, up)

    return routes
