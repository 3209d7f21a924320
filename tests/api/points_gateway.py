"""Gateway with a pipeline whose service and run have errors of their own."""

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias

import httpx
from pydantic import Field

from gateway.api.application import Gateway
from gateway.api.pipeline_route.models import Id, RequestBody
from gateway.api.pipeline_route.registration import Route
from gateway.client.models import UpstreamResponse
from gateway.railway import Aggregate, Call, Conflict, Gone, NotFound, Run, UpstreamFault, railway
from tests.api.sample_gateway import build_gateway
from tests.client.scripted_service import Answering, client


class Balance(UpstreamResponse):
    points: int = Field(examples=[12])


class Shortfall(UpstreamResponse):
    points: int = Field(examples=[488])
    reason: str = "price"


class InsufficientPoints(Conflict, code="insufficient-points"):
    """The account has fewer points than the reward costs.

    Collect more points, then send the request again.
    """

    balance: Annotated[int, Field(examples=[12])]
    shortfall: Shortfall | None = None


class RewardEnded(Gone, code="reward-ended"):
    """The reward is no longer offered."""

    ended_on: Annotated[str, Field(examples=["2026-03-01"])]


PointsError: TypeAlias = NotFound | Conflict | RewardEnded | UpstreamFault | Aggregate
DECLARED: Final[Mapping[int, type[NotFound | InsufficientPoints]]] = {404: NotFound, 409: InsufficientPoints}
SPEND: Final = {"user_id": "user-1"}


class SpendRequest(RequestBody):
    user_id: Id = Field(examples=["user-1"])


class Points:
    """Client of a service that declares an error of its own."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._spend = client(transport).get(
            "points.spend", "/points/{user_id}", answer=Balance, declared=DECLARED
        )

    def spend(self, user_id: str) -> Call[Balance, NotFound | InsufficientPoints | UpstreamFault]:
        return self._spend(user_id=user_id)


@railway
async def spend(run: Run[PointsError], wish: SpendRequest, points: Points) -> int:
    """Spend points."""
    if wish.user_id == "late":
        run.fail(RewardEnded("Ended yesterday", ended_on="2026-03-01"))
    first, _ = await run.stage("spend", points.spend(wish.user_id), points.spend(wish.user_id))
    return first.points


def build_points_gateway(response: httpx.Response | None = None) -> Gateway:
    """Build a gateway whose service sends *response*."""
    services = {"points": Points(Answering(response))}
    return build_gateway(Route("POST", "/spend", spend), services=services, has_dry_runs=True)
