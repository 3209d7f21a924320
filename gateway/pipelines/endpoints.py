"""Endpoints of the routes that need more than path parameters and a JSON body."""

from starlette.responses import Response

from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.pipelines.purchases import PurchaseRequest

__all__ = ("post_purchase",)


async def post_purchase(purchase: PurchaseRequest, request: CommitRequest) -> Response:
    """Create an order for the user of the bearer token, then announce it.

    Three stages:

    - *identity* verifies the token and fetches the user. The token of another user is 403, whether or not
      that user exists.
    - *order* commits: it creates the order while the stock is checked, and cancels it if there is too little.
    - *announce* notifies the user and records the purchase. It is best effort: a part that fails is null and
      listed in `degraded`.
    """
    return await request.commit(purchase, request.token)
