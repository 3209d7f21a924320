"""Feed cases: a full feed, a feed without friends, and an unknown user."""

from collections.abc import Sequence
from typing import Final

from load.case import Body, Case, Json
from load.problems import failing_case
from load.seeds import USER, USER_NOT_FOUND

__all__ = ("CASES",)

_POSTS: Final = {
    "post-101": ("user-123", "en", "My new keyboard has arrived."),
    "post-201": ("user-456", "en", "First frost on the allotment this morning."),
    "post-202": ("user-456", "de", "Heute früh lag der erste Reif im Garten."),
    "post-301": ("user-789", "en", "The night train to Vienna runs again."),
    "post-302": ("user-789", "de", "Der Nachtzug nach Wien fährt wieder."),
    "post-401": ("user-high-risk", "en", "Ten chess problems for the weekend."),
    "post-402": ("user-high-risk", "de", "Zehn Schachprobleme fürs Wochenende."),
}


def _list_posts(*ids: str) -> Sequence[Body]:
    fields = ("author_id", "language", "text")
    return [{"post_id": post_id, **dict(zip(fields, _POSTS[post_id], strict=True))} for post_id in ids]


def _feed_case(name: str, user_id: str, **body: Json) -> Case:
    return Case(name, f"/feed/{user_id}", None, 200, {**body, "degraded": []}, method="GET")


CASES: Final[Sequence[Case]] = (
    _feed_case(
        "everything",
        "user-123",
        profile=USER,
        friends=[{"user_id": "user-456"}, {"user_id": "user-789"}],
        settings={"languages": ["en", "de"], "show_recommendations": True},
        posts=_list_posts("post-201", "post-202", "post-301", "post-302"),
        notifications=[
            {"notification_id": f"notification-{number}", "from_user_id": friend, "text": text}
            for number, friend, text in (
                (2, "user-456", "has liked your post"),
                (3, "user-789", "has commented on your post"),
                (4, "user-789", "is on the way to Vienna"),
            )
        ],
        engagement={
            "post-201": {"likes": 28, "comments": 4},
            "post-202": {"likes": 35, "comments": 0},
            "post-301": {"likes": 9, "comments": 2},
            "post-302": {"likes": 16, "comments": 3},
        },
        recommended=_list_posts("post-401", "post-402"),
    ),
    _feed_case(
        "no friends",
        "user-789",
        profile={"user_id": "user-789", "email": "user789@example.com", "is_active": True},
        friends=[],
        settings={"languages": ["en"], "show_recommendations": True},
        posts=[],
        notifications=[],
        engagement={},
        recommended=_list_posts("post-101", "post-201", "post-401"),
    ),
    failing_case("unknown user", "/feed/nonexistent-user", None, USER_NOT_FOUND, method="GET"),
)
