"""Feed: what somebody's friends have posted, and what has come of it. Reads only."""

from collections.abc import Mapping
from typing import TypeAlias

from pydantic import Field

from gateway.api.pipeline_route.models import ResponseBody, null_fields
from gateway.railway import Aggregate, NotFound, Run, UpstreamFault, railway
from gateway.services import Upstreams
from gateway.services.social import Engagement, Friend, Notification, Post
from gateway.services.users import User, UserSettings

__all__ = ("FeedError", "FeedResult", "feed")

FeedError: TypeAlias = NotFound | UpstreamFault | Aggregate


class FeedResult(ResponseBody):
    """Everything a user sees first."""

    profile: User
    friends: tuple[Friend, ...]
    settings: UserSettings
    posts: tuple[Post, ...]
    notifications: tuple[Notification, ...] | None
    engagement: Mapping[str, Engagement] | None
    recommended: tuple[Post, ...] | None
    degraded: tuple[str, ...] = Field(default_factory=null_fields, description="the fields that are missing")


@railway
async def feed(run: Run[FeedError], user_id: str, up: Upstreams) -> FeedResult:
    """Look up the user, gather what friends have posted, then how it was received and what else there is."""
    user, friends, settings = await run.stage(
        "profile",
        up.users.fetch(user_id),
        up.social.friends(user_id),
        up.users.settings(user_id),
    )
    posts, notifications = await run.stage(
        "content",
        up.social.posts(friends, settings),
        up.social.notifications(friends).optional(None),
    )
    engagement, recommended = await run.stage(
        "engagement",
        up.social.engagement(posts).optional(None),
        up.social.recommendations(user, settings).optional(None),
    )
    return FeedResult(
        profile=user,
        friends=friends,
        settings=settings,
        posts=posts,
        notifications=notifications,
        engagement=engagement,
        recommended=recommended,
    )
