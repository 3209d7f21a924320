"""Endpoints of the routes that need more than path parameters and a JSON body."""

from starlette.responses import Response

from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.pipelines.purchases import PurchaseRequest

__all__ = ("post_purchase",)


async def post_purchase(purchase: PurchaseRequest, request: CommitRequest) -> Response:
    """Create an order for the user of the bearer token, then announce it.

    Three stages:

    - *identity* verifies the token and fetches the user. A token of another user is refused with 403, even if
      the user in the request does not exist.
    - *order* commits: it creates the order while the stock is checked, and cancels the order if the check
      fails.
    - *announce* notifies the user and records the purchase. Both are best effort: if either fails, its part
      of the response is null and listed in `degraded`.
    """
    return await request.commit(purchase, request.token)
