"""POST /transfers."""

from typing import Final

from fastapi import APIRouter, Response

from gateway.api.idempotency.commit_request import CommitRequest
from gateway.api.openapi.document import asking, responses
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.pipelines.transfers import TransferRequest, TransferResult, transfers
from gateway.services import Upstreams

__all__ = ("router",)

_ANSWER: Final = {
    "transfer_id": "trf-8d2f1c7a",
    "status": "completed",
    "from_account": {"account_id": "acc-001", "balance": "975.00"},
    "to_account": {"account_id": "acc-002", "balance": "275.00"},
    "amount": "25.00",
    "currency": "USD",
    "fraud_check": {"is_safe": True, "risk_level": "Low"},
    "compliance_check": {"is_compliant": True},
}


def router(up: Upstreams) -> APIRouter:
    """Make the route; its pipeline calls *up*."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.post(
        "/transfers",
        summary="Move money",
        status_code=201,
        response_model=TransferResult,
        responses=responses(transfers, status=201, example=_ANSWER),
        openapi_extra=asking(TransferRequest),
    )
    async def post_transfer(transfer: TransferRequest, request: CommitRequest) -> Response:
        """Move money from one account to another: all of it, or none.

        Three stages: *account data* (the account that pays, its history and risk; the first failure ends it),
        *checks* (fraud, compliance) and *settlement*, which commits: the transfer is executed, then posted,
        and it is reversed if it cannot be posted.
        """
        return await request.commit(transfers, transfer, up)

    return routes
