"""Names that the README does not define."""

from pydantic import Field

from gateway import Id, RequestBody, ResponseBody, ServiceClient, UpstreamResponse, example
from gateway.pipelines.checkout import CheckoutError, CheckoutRequest, CheckoutResult
from gateway.railway import Aggregate, NotFound, Run, UpstreamFault, railway
from gateway.services.fraud import Fraud
from gateway.services.inventory import Inventory
from gateway.services.payments import Payments
from gateway.services.pricing import Pricing
from gateway.services.shipping import Shipping
from gateway.services.users import Users

__all__ = (
    "CheckoutError",
    "CheckoutRequest",
    "CheckoutResult",
    "Fraud",
    "Inventory",
    "Loyalty",
    "Payments",
    "Pricing",
    "Shipping",
    "rewards",
)


class RewardRequest(RequestBody):
    user_id: Id = Field(examples=["user-123"])


class Reward(ResponseBody):
    email: str


class Points(UpstreamResponse):
    model_config = example(balance=1200)

    balance: int


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self.points = client.get("loyalty.points", "/points", answer=Points)


@railway
async def rewards(
    run: Run[NotFound | UpstreamFault | Aggregate], wish: RewardRequest, users: Users, loyalty: Loyalty
) -> Reward:
    """Stand for the pipeline of the tutorial."""
    user, _ = await run.stage("member", users.fetch(wish.user_id), loyalty.points())
    return Reward(email=user.email)
