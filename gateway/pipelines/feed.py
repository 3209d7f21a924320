"""Feed pipeline: the posts of a user's friends, with engagement and recommendations."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field

from gateway.api.pipeline_route.models import Id, ResponseBody, null_fields
from gateway.railway import Aggregate, NotFound, Run, UpstreamFault, railway
from gateway.services.social import Engagement, Friend, Notification, Post, Social
from gateway.services.users import User, Users, UserSettings

__all__ = ("FeedError", "FeedResult", "feed")

FeedError: TypeAlias = NotFound | UpstreamFault | Aggregate

UserId: TypeAlias = Annotated[
    Id, Field(description="id of the user who reads the feed", examples=["user-123"])
]


class FeedResult(ResponseBody):
    """The feed of a user. *engagement* maps post ids to likes and comments."""

    profile: User
    friends: tuple[Friend, ...]
    settings: UserSettings
    posts: tuple[Post, ...]
    notifications: tuple[Notification, ...] | None
    engagement: Mapping[str, Engagement] | None
    recommended: tuple[Post, ...] | None
    degraded: tuple[str, ...] = Field(
        default_factory=null_fields, description="names of the optional fields that are null"
    )


@railway
async def feed(run: Run[FeedError], user_id: UserId, users: Users, social: Social) -> FeedResult:
    """Return the feed of a user: friends' posts, their engagement, and recommendations.

    Posts are in the languages of the user's settings. `notifications`, `engagement` and `recommended` are
    optional: a part that fails or is late is null and listed in `degraded`, and `Gateway-Completed` is false.
    Without friends, posts and notifications are empty.
    """
    user, friends, settings = await run.stage(
        "profile",
        users.fetch(user_id),
        social.friends(user_id),
        users.settings(user_id),
    )
    posts, notifications = await run.stage(
        "content",
        social.posts(friends, settings),
        social.notifications(friends).optional(None),
    )
    engagement, recommended = await run.stage(
        "engagement",
        social.engagement(posts).optional(None),
        social.recommendations(user, settings).optional(None),
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
