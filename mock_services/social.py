"""The social service: who follows whom, and what there is to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Id, Strict
from mock_services.requests import Request

__all__ = [
    "Engagement",
    "EngagementQuery",
    "Friend",
    "FriendNotification",
    "NotificationsQuery",
    "Post",
    "PostsQuery",
    "RecommendationsQuery",
    "Social",
]


class PostsQuery(Strict):
    """Whose posts, and in which languages: in all of them where none is named."""

    author: Sequence[Id] = ()
    language: Sequence[Id] = ()


class NotificationsQuery(Strict):
    """Whose notifications."""

    senders: Annotated[Sequence[Id], Field(alias="from")] = ()


class EngagementQuery(Strict):
    """Of which posts."""

    post_id: Sequence[Id] = ()


class RecommendationsQuery(Strict):
    """For whom, and in which languages: in all of them where none is named."""

    user_id: Annotated[Sequence[Id], Field(min_length=1, max_length=1)]
    language: Sequence[Id] = ()


class Friend(TypedDict):
    """Somebody whom a user follows."""

    user_id: str


class Post(TypedDict):
    """Something to read."""

    post_id: str
    author_id: str
    language: str
    text: str


class FriendNotification(TypedDict):
    """What somebody has done."""

    notification_id: str
    from_user_id: str
    text: str


class Engagement(TypedDict):
    """How a post was received."""

    likes: int
    comments: int


FRIENDS: Final[Mapping[str, Sequence[str]]] = {
    "user-123": ("user-456", "user-789"),
    "user-456": ("user-123",),
}
POSTS: Final = tuple(
    Post(post_id=post_id, author_id=author_id, language=language, text=text)
    for post_id, author_id, language, text in (
        ("post-101", "user-123", "en", "My new keyboard has arrived."),
        ("post-102", "user-123", "de", "Meine neue Tastatur ist da."),
        ("post-103", "user-123", "fr", "Mon nouveau clavier est arrivé."),
        ("post-201", "user-456", "en", "First frost on the allotment this morning."),
        ("post-202", "user-456", "de", "Heute früh lag der erste Reif im Garten."),
        ("post-203", "user-456", "fr", "Première gelée au jardin ce matin."),
        ("post-301", "user-789", "en", "The night train to Vienna runs again."),
        ("post-302", "user-789", "de", "Der Nachtzug nach Wien fährt wieder."),
        ("post-303", "user-789", "fr", "Le train de nuit pour Vienne circule à nouveau."),
        ("post-401", "user-high-risk", "en", "Ten chess problems for the weekend."),
        ("post-402", "user-high-risk", "de", "Zehn Schachprobleme fürs Wochenende."),
        ("post-403", "user-high-risk", "fr", "Dix problèmes d'échecs pour le week-end."),
    )
)
NOTIFICATIONS: Final = tuple(
    FriendNotification(notification_id=notification_id, from_user_id=from_user_id, text=text)
    for notification_id, from_user_id, text in (
        ("notification-1", "user-123", "has posted about a keyboard"),
        ("notification-2", "user-456", "has liked your post"),
        ("notification-3", "user-789", "has commented on your post"),
        ("notification-4", "user-789", "is on the way to Vienna"),
    )
)
ENGAGEMENT: Final = {
    post["post_id"]: Engagement(likes=7 * place % 40, comments=place % 5)
    for place, post in enumerate(POSTS, start=1)
}


class Social(Domain):
    """Knows the friends and the posts of the seeds; nothing is written."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /friends/{id}", 50, self._friends),
            Endpoint("GET /posts", 40, self._posts),
            Endpoint("GET /notifications", 30, self._notifications),
            Endpoint("GET /engagement", 30, self._engagement),
            Endpoint("GET /recommendations", 40, self._recommendations),
        )

    def _friends(self, request: Request) -> Sequence[Friend]:
        return [Friend(user_id=friend) for friend in FRIENDS.get(request.params["id"], ())]

    def _posts(self, request: Request) -> Sequence[Post]:
        query = request.query_lists(PostsQuery)
        return _in_languages(query.language, (post for post in POSTS if post["author_id"] in query.author))

    def _notifications(self, request: Request) -> Sequence[FriendNotification]:
        senders = request.query_lists(NotificationsQuery).senders
        return [one for one in NOTIFICATIONS if one["from_user_id"] in senders]

    def _engagement(self, request: Request) -> Mapping[str, Engagement]:
        wanted = request.query_lists(EngagementQuery).post_id
        return {post_id: ENGAGEMENT[post_id] for post_id in wanted if post_id in ENGAGEMENT}

    def _recommendations(self, request: Request) -> Sequence[Post]:
        """Recommend what strangers have posted: neither the user nor those whom the user follows."""
        query = request.query_lists(RecommendationsQuery)
        (user_id,) = query.user_id
        known = {user_id, *FRIENDS.get(user_id, ())}
        return _in_languages(query.language, (post for post in POSTS if post["author_id"] not in known))


def _in_languages(languages: Sequence[str], posts: Iterable[Post]) -> Sequence[Post]:
    return [post for post in posts if not languages or post["language"] in languages]
