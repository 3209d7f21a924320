"""The ways in which a feed ends that the contract names."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, alone, degraded, whole
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario

__all__ = ("FEED", "SCENARIOS")

PROFILE: Final = ("users.fetch", "social.friends", "users.settings")
CONTENT: Final = ("social.posts", "social.notifications")
ENGAGEMENT: Final = ("social.engagement", "social.recommendations")
FEED: Final = Pipeline("feed", (PROFILE, CONTENT, ENGAGEMENT))

feed: Final = partial(Scenario, FEED)


def of(user_id: str) -> Request:
    """Ask for the feed of a user."""
    return Request("GET", f"/feed/{user_id}")


NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_POSTS: Final = Problem(503, "unavailable", "social.posts")
NO_ID: Final = Problem(422, "invalid", violations=(Violation("user_id"),))

HANGS: Final = Fault("social", "/notifications", "hang")
IS_GARBAGE: Final = Fault("social", "/engagement", "garbage")
HANGS_UP: Final = Fault("social", "/recommendations", "drop")
NO_POSTS_COME: Final = Fault("social", "/posts", "drop")

SCENARIOS: Final[Sequence[Scenario]] = (
    feed("success", of("user-123"), whole(200, degraded=[]), FEED.calls),
    feed(
        "no friends",
        of("user-789"),
        whole(200, posts=[], notifications=[], engagement={}),
        (*PROFILE, "social.recommendations"),
    ),
    feed(
        "wants no more",
        of("user-456"),
        whole(200, recommended=[]),
        (*PROFILE, *CONTENT, "social.engagement"),
    ),
    feed(
        "an extra hangs",
        of("user-123"),
        degraded(200, "notifications"),
        FEED.calls,
        faults=(HANGS,),
    ),
    feed(
        "two extras break",
        of("user-123"),
        degraded(200, "engagement", "recommended"),
        FEED.calls,
        faults=(IS_GARBAGE, HANGS_UP),
    ),
    feed("no posts", of("user-123"), alone(NO_POSTS), (*PROFILE, *CONTENT), faults=(NO_POSTS_COME,)),
    feed("unknown user", of("nonexistent-user"), alone(NO_USER), PROFILE),
    feed("no id", of("-"), alone(NO_ID), ()),
)
"""In the order in which they are played."""
