"""The documented outcomes of a feed."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, degraded_success, failure, success
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario

__all__ = ("FEED", "SCENARIOS")

PROFILE: Final = ("users.fetch", "social.friends", "users.settings")
CONTENT: Final = ("social.posts", "social.notifications")
ENGAGEMENT: Final = ("social.engagement", "social.recommendations")
FEED: Final = Pipeline("feed", (PROFILE, CONTENT, ENGAGEMENT))

feed: Final = partial(Scenario, FEED)


def get_feed(user_id: str) -> Request:
    """Build a request for the feed of a user."""
    return Request("GET", f"/feed/{user_id}")


UNKNOWN_USER: Final = Problem(404, "not-found", "users.fetch")
POSTS_UNAVAILABLE: Final = Problem(503, "unavailable", "social.posts")
INVALID_ID: Final = Problem(422, "invalid", violations=(Violation("user_id"),))

NOTIFICATIONS_HANG: Final = Fault("social", "/notifications", "hang")
ENGAGEMENT_GARBAGE: Final = Fault("social", "/engagement", "garbage")
RECOMMENDATIONS_DROP: Final = Fault("social", "/recommendations", "drop")
POSTS_DROP: Final = Fault("social", "/posts", "drop")

SCENARIOS: Final[Sequence[Scenario]] = (
    feed("success", get_feed("user-123"), success(200, degraded=[]), FEED.calls),
    feed(
        "no friends",
        get_feed("user-789"),
        success(200, posts=[], notifications=[], engagement={}),
        (*PROFILE, "social.recommendations"),
    ),
    feed(
        "recommendations off",
        get_feed("user-456"),
        success(200, recommended=[]),
        (*PROFILE, *CONTENT, "social.engagement"),
    ),
    feed(
        "optional call hangs",
        get_feed("user-123"),
        degraded_success(200, "notifications"),
        FEED.calls,
        faults=(NOTIFICATIONS_HANG,),
    ),
    feed(
        "two optional calls fail",
        get_feed("user-123"),
        degraded_success(200, "engagement", "recommended"),
        FEED.calls,
        faults=(ENGAGEMENT_GARBAGE, RECOMMENDATIONS_DROP),
    ),
    feed(
        "posts unavailable",
        get_feed("user-123"),
        failure(POSTS_UNAVAILABLE),
        (*PROFILE, *CONTENT),
        faults=(POSTS_DROP,),
    ),
    feed("unknown user", get_feed("nonexistent-user"), failure(UNKNOWN_USER), PROFILE),
    feed("invalid user id", get_feed("-"), failure(INVALID_ID), ()),
)
"""The scenarios, in the order in which they are played."""
