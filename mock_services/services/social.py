"""The social service: friends, their posts and notifications."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.values.fields import Id, RequestModel

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


class PostsQuery(RequestModel):
    """The authors and languages of the posts; without a language, all languages match."""

    author: Sequence[Id] = ()
    language: Sequence[Id] = ()


class NotificationsQuery(RequestModel):
    """The senders of the notifications."""

    senders: Annotated[Sequence[Id], Field(alias="from")] = ()


class EngagementQuery(RequestModel):
    """The posts for which engagement is requested."""

    post_id: Sequence[Id] = ()


class RecommendationsQuery(RequestModel):
    """The user to recommend posts to, and their languages; without a language, all languages match."""

    user_id: Annotated[Sequence[Id], Field(min_length=1, max_length=1)]
    language: Sequence[Id] = ()


class Friend(TypedDict):
    """A user followed by another user."""

    user_id: str


class Post(TypedDict):
    """A post."""

    post_id: str
    author_id: str
    language: str
    text: str


class FriendNotification(TypedDict):
    """A notification about an action of a friend."""

    notification_id: str
    from_user_id: str
    text: str


class Engagement(TypedDict):
    """The likes and comments of a post."""

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
    post["post_id"]: Engagement(likes=7 * number % 40, comments=number % 5)
    for number, post in enumerate(POSTS, start=1)
}


class Social(MockService):
    """Social service: friends, posts and notifications of the seed data; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /friends/{id}", 50, self._fetch_friends),
            Endpoint("GET /posts", 40, self._fetch_posts),
            Endpoint("GET /notifications", 30, self._fetch_notifications),
            Endpoint("GET /engagement", 30, self._fetch_engagement),
            Endpoint("GET /recommendations", 40, self._fetch_recommendations),
        )

    def _fetch_friends(self, request: Request) -> Sequence[Friend]:
        return [Friend(user_id=friend) for friend in FRIENDS.get(request.params["id"], ())]

    def _fetch_posts(self, request: Request) -> Sequence[Post]:
        query = request.query_lists(PostsQuery)
        return _filter_by_language(
            query.language, (post for post in POSTS if post["author_id"] in query.author)
        )

    def _fetch_notifications(self, request: Request) -> Sequence[FriendNotification]:
        senders = request.query_lists(NotificationsQuery).senders
        return [item for item in NOTIFICATIONS if item["from_user_id"] in senders]

    def _fetch_engagement(self, request: Request) -> Mapping[str, Engagement]:
        post_ids = request.query_lists(EngagementQuery).post_id
        return {post_id: ENGAGEMENT[post_id] for post_id in post_ids if post_id in ENGAGEMENT}

    def _fetch_recommendations(self, request: Request) -> Sequence[Post]:
        """Recommend posts by strangers: neither by the user nor by the user's friends."""
        query = request.query_lists(RecommendationsQuery)
        (user_id,) = query.user_id
        known = {user_id, *FRIENDS.get(user_id, ())}
        return _filter_by_language(query.language, (post for post in POSTS if post["author_id"] not in known))


def _filter_by_language(languages: Sequence[str], posts: Iterable[Post]) -> Sequence[Post]:
    return [post for post in posts if not languages or post["language"] in languages]
