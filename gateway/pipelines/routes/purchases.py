"""POST /purchases."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Response

from gateway.api.idempotency.commit_request import CommitRequest
from gateway.api.openapi.document import BEARER, asking, responses
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.pipelines.purchases import PurchaseRequest, PurchaseResult, purchases
from gateway.services import Upstreams

__all__ = ("router",)

_ANSWER: Final[Mapping[str, object]] = {
    "order": {"order_id": "ord-8d2f1c7a", "status": "created"},
    "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
    "notification": {"notification_id": "ntf-3b9a5d10"},
    "analytics": {"event_id": "evt-6c4e2f88"},
    "degraded": [],
}


def router(up: Upstreams) -> APIRouter:
    """Make the route; its pipeline calls *up*."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.post(
        "/purchases",
        summary="Buy this, as who the token says",
        status_code=201,
        response_model=PurchaseResult,
        responses=responses(purchases, status=201, example=_ANSWER),
        openapi_extra={**BEARER, **asking(PurchaseRequest)},
    )
    async def post_purchase(purchase: PurchaseRequest, request: CommitRequest) -> Response:
        """Order for the user whose token it is, and tell the world.

        Three stages: *identity* (token, user; a token that is not the user's own is 403 whether there is such
        a user or not), *order*, which commits: the order is created while the stock is looked at, and
        cancelled if there is too little; *announce* (notification, statistics), which is best effort: what
        fails of it is null and stands in `degraded`.
        """
        return await request.commit(purchases, purchase, request.token, up)

    return routes
