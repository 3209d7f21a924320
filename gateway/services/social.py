"""Social service: friends, posts, notifications and recommendations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Final, final

from pydantic import Field, TypeAdapter

from gateway.client.answers.leniency import Text
from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, UpstreamFault, constant
from gateway.services.users import User, UserSettings

__all__ = ("Engagement", "Friend", "Notification", "Post", "Social")


@final
class Friend(UpstreamResponse):
    """A friend of a user."""

    model_config = example(user_id="user-456")

    user_id: str


@final
class Post(UpstreamResponse):
    """A post. *language* is a code, such as `en`."""

    model_config = example(
        post_id="post-201",
        author_id="user-456",
        language="en",
        text="First frost on the allotment this morning.",
    )

    post_id: str
    author_id: str
    language: str
    text: Text


@final
class Notification(UpstreamResponse):
    """A notification about an action of a friend."""

    model_config = example(
        notification_id="notification-2", from_user_id="user-456", text="has liked your post"
    )

    notification_id: str
    from_user_id: str
    text: Text


@final
class Engagement(UpstreamResponse):
    """The number of likes and comments of a post."""

    model_config = example(likes=28, comments=4)

    likes: Annotated[int, Field(ge=0)]
    comments: Annotated[int, Field(ge=0)]


_MOST_OF_LANGUAGES: Final = 500
"""Characters of all languages in a query for posts."""

_ENGAGEMENT: Final = TypeAdapter(
    Annotated[dict[str, Engagement], Field(examples=[{"post-201": {"likes": 28, "comments": 4}}])]
)


@final
class Social:
    """Client of the social service.

    A call with a long list in its query is made in chunks. If a query would have no values, the call sends no
    request and its value is empty: many services return everything for a query without filters.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._friends = client.get("social.friends", "/friends/{user_id}", answer=tuple[Friend, ...])
        self._posts = client.get("social.posts", "/posts", answer=tuple[Post, ...], chunk="author")
        self._notifications = client.get(
            "social.notifications", "/notifications", answer=tuple[Notification, ...], chunk="from"
        )
        self._engagement = client.get("social.engagement", "/engagement", answer=_ENGAGEMENT, chunk="post_id")
        self._recommendations = client.get(
            "social.recommendations", "/recommendations", answer=tuple[Post, ...], chunk="language"
        )

    def friends(self, user_id: str) -> Call[tuple[Friend, ...], UpstreamFault]:
        """List the friends of a user (`GET /friends/{user_id}`); empty if the user does not exist."""
        return self._friends(user_id=user_id)

    def posts(
        self, friends: Sequence[Friend], settings: UserSettings
    ) -> Call[tuple[Post, ...], UpstreamFault]:
        """List the posts of *friends* in the languages of *settings* (`GET /posts?author=&language=`).

        Many languages are left out of the query, since they would be in every chunk.
        """
        if not friends or not settings.languages:
            return constant("social.posts", ())
        languages = settings.languages if len("".join(settings.languages)) <= _MOST_OF_LANGUAGES else ()
        call = self._posts(query={"author": _list_ids(friends), "language": languages})
        return call.map(_filter_by_language(settings))

    def notifications(self, friends: Sequence[Friend]) -> Call[tuple[Notification, ...], UpstreamFault]:
        """List the notifications from *friends* (`GET /notifications?from=`)."""
        if not friends:
            return constant("social.notifications", ())
        return self._notifications(query={"from": _list_ids(friends)})

    def engagement(self, posts: Sequence[Post]) -> Call[Mapping[str, Engagement], UpstreamFault]:
        """Fetch the engagement of *posts*, by post id (`GET /engagement?post_id=`)."""
        if not posts:
            return constant("social.engagement", {})
        return self._engagement(query={"post_id": [post.post_id for post in posts]})

    def recommendations(self, user: User, settings: UserSettings) -> Call[tuple[Post, ...], UpstreamFault]:
        """List posts recommended to *user* (`GET /recommendations?user_id=&language=`).

        Only posts in the languages of *settings* are returned, and no posts if the settings disable
        recommendations.
        """
        if not settings.show_recommendations or not settings.languages:
            return constant("social.recommendations", ())
        call = self._recommendations(query={"user_id": user.user_id, "language": settings.languages})
        return call.map(_filter_by_language(settings))


def _list_ids(friends: Iterable[Friend]) -> Sequence[str]:
    """Return each id once: the same id in two chunks would have its posts twice."""
    return [*dict.fromkeys(friend.user_id for friend in friends)]


def _filter_by_language(settings: UserSettings) -> Callable[[Iterable[Post]], tuple[Post, ...]]:
    """Return a function that drops posts in languages other than those of *settings*.

    The service may ignore the languages of the query.
    """
    return lambda posts: tuple(post for post in posts if post.language in settings.languages)
