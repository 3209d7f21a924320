"""GET /feed/{user_id}."""

from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Path, Response

from gateway.api.openapi.document import responses
from gateway.api.pipeline_route.models import Id
from gateway.api.pipeline_route.route import PipelineRequest, PipelineRoute
from gateway.pipelines.feed import FeedResult, feed
from gateway.services import Upstreams

__all__ = ("router",)

UserId: TypeAlias = Annotated[Id, Path(description="Whose feed it is.", examples=["user-123"])]

_ANSWER: Final = {
    "profile": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "friends": [{"user_id": "user-456"}, {"user_id": "user-789"}],
    "settings": {"languages": ["en", "de"], "show_recommendations": True},
    "posts": [
        {
            "post_id": "post-201",
            "author_id": "user-456",
            "language": "en",
            "text": "First frost on the allotment this morning.",
        }
    ],
    "notifications": [
        {
            "notification_id": "notification-2",
            "from_user_id": "user-456",
            "text": "has liked your post",
        }
    ],
    "engagement": {"post-201": {"likes": 28, "comments": 4}},
    "recommended": [
        {
            "post_id": "post-401",
            "author_id": "user-high-risk",
            "language": "en",
            "text": "Ten chess problems for the weekend.",
        }
    ],
    "degraded": [],
}


def router(up: Upstreams) -> APIRouter:
    """Make the route; its pipeline calls *up*."""
    routes = APIRouter(route_class=PipelineRoute, tags=["pipelines"])

    @routes.get(
        "/feed/{user_id}",
        summary="What does this user see first?",
        response_model=FeedResult,
        responses=responses(feed, example=_ANSWER),
    )
    async def get_feed(user_id: UserId, request: PipelineRequest) -> Response:
        """Gather what the friends of a user have posted, in the languages that the user reads.

        Three stages: *profile* (user, friends, settings), *content* (posts, notifications), *engagement*
        (how the posts were received, what else the user may like). `notifications`, `engagement` and
        `recommended` are extras: one that does not come in time is null and stands in `degraded`, and
        `Gateway-Completed` is false. Without friends there are neither posts nor notifications; who reads no
        language sees no posts.
        """
        result = await feed.on(request.context)(user_id, up)
        return request.answer(result, {"Cache-Control": "no-store"})

    return routes
