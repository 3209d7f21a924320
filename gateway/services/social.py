"""The social service."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Final, final

from pydantic import Field, TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, UpstreamFault, constant
from gateway.services.users import User, UserSettings

__all__ = ("Engagement", "Friend", "Notification", "Post", "Social")


@final
class Friend(UpstreamResponse):
    """Somebody whom a user follows."""

    model_config = example(user_id="user-456")

    user_id: str


@final
class Post(UpstreamResponse):
    """Something to read."""

    model_config = example(
        post_id="post-201",
        author_id="user-456",
        language="en",
        text="First frost on the allotment this morning.",
    )

    post_id: str
    author_id: str
    language: str
    text: str


@final
class Notification(UpstreamResponse):
    """What a friend has done."""

    model_config = example(
        notification_id="notification-2", from_user_id="user-456", text="has liked your post"
    )

    notification_id: str
    from_user_id: str
    text: str


@final
class Engagement(UpstreamResponse):
    """How a post was received."""

    model_config = example(likes=28, comments=4)

    likes: Annotated[int, Field(ge=0)]
    comments: Annotated[int, Field(ge=0)]


_FRIENDS: Final = TypeAdapter(tuple[Friend, ...])
_POSTS: Final = TypeAdapter(tuple[Post, ...])
_NOTIFICATIONS: Final = TypeAdapter(tuple[Notification, ...])
_ENGAGEMENT: Final = TypeAdapter(
    Annotated[dict[str, Engagement], Field(examples=[{"post-201": {"likes": 28, "comments": 4}}])]
)


@final
class Social:
    """Who follows whom, and what there is to read.

    Where there is nothing to ask the service for, the call makes no request: to most services, a query that
    names nothing means everything.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def friends(self, user_id: str) -> Call[tuple[Friend, ...], UpstreamFault]:
        """List those whom *user_id* follows; somebody unknown follows nobody."""
        return self._client.get("social.friends", ("friends", user_id), answer=_FRIENDS)

    def posts(
        self, friends: Sequence[Friend], settings: UserSettings
    ) -> Call[tuple[Post, ...], UpstreamFault]:
        """List what *friends* have posted, in the languages of *settings* and in no others."""
        if not friends or not settings.languages:
            return constant("social.posts", ())
        asked = self._client.get(
            "social.posts",
            ("posts",),
            query=(*_each("author", _ids(friends)), *_each("language", settings.languages)),
            answer=_POSTS,
        )
        return asked.map(_readable(settings))

    def notifications(self, friends: Sequence[Friend]) -> Call[tuple[Notification, ...], UpstreamFault]:
        """List what *friends* have done."""
        if not friends:
            return constant("social.notifications", ())
        query = _each("from", _ids(friends))
        return self._client.get(
            "social.notifications", ("notifications",), query=query, answer=_NOTIFICATIONS
        )

    def engagement(self, posts: Sequence[Post]) -> Call[Mapping[str, Engagement], UpstreamFault]:
        """Say how *posts* were received, by their ids."""
        if not posts:
            return constant("social.engagement", {})
        query = _each("post_id", [post.post_id for post in posts])
        return self._client.get("social.engagement", ("engagement",), query=query, answer=_ENGAGEMENT)

    def recommendations(self, user: User, settings: UserSettings) -> Call[tuple[Post, ...], UpstreamFault]:
        """List posts of others that *user* may like, as far as *settings* want any."""
        if not settings.show_recommendations or not settings.languages:
            return constant("social.recommendations", ())
        asked = self._client.get(
            "social.recommendations",
            ("recommendations",),
            query=(("user_id", user.user_id), *_each("language", settings.languages)),
            answer=_POSTS,
        )
        return asked.map(_readable(settings))


def _each(name: str, values: Iterable[str]) -> Sequence[tuple[str, str]]:
    return [(name, value) for value in values]


def _ids(friends: Iterable[Friend]) -> Sequence[str]:
    return [friend.user_id for friend in friends]


def _readable(settings: UserSettings) -> Callable[[Iterable[Post]], tuple[Post, ...]]:
    """Keep posts in the languages of *settings*, whatever the service takes a language to be."""
    return lambda posts: tuple(post for post in posts if post.language in settings.languages)
