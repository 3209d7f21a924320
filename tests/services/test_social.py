"""Social service: queries, and calls that send no request because their query would be empty."""

from collections.abc import Sequence

import httpx
import pytest

from gateway.railway import Ok
from gateway.services.social import Friend, Post, Social
from gateway.services.users import User, UserSettings
from tests.client.scripted_service import Answering, client

ADA = User(user_id="user-123", email="user@example.com", is_active=True)
FRIENDS = (Friend(user_id="user-456"),)


def post(language: str) -> Post:
    return Post(post_id=f"post-{language}", author_id="user-456", language=language, text="")


def settings_with(*languages: str, recommendations: bool = True) -> UserSettings:
    return UserSettings(languages=languages, show_recommendations=recommendations)


def answering(*posts: Post) -> Answering:
    return Answering(httpx.Response(200, json=[post.model_dump() for post in posts]))


@pytest.mark.parametrize(
    ("friends", "settings"),
    [((), settings_with("en")), (FRIENDS, settings_with())],
    ids=["no friends", "no languages"],
)
async def test_no_friends_or_no_languages_sends_no_request_for_posts(
    friends: Sequence[Friend], settings: UserSettings
) -> None:
    transport = answering(post("en"))

    assert await Social(client(transport)).posts(friends, settings) == Ok(())
    assert transport.requests == []


async def test_no_friends_sends_no_request_for_notifications() -> None:
    transport = Answering()

    assert await Social(client(transport)).notifications(()) == Ok(())
    assert transport.requests == []


async def test_no_posts_sends_no_request_for_engagement() -> None:
    transport = Answering()
    result = await Social(client(transport)).engagement(())

    assert result.map(len) == Ok(0)
    assert transport.requests == []


@pytest.mark.parametrize("settings", [settings_with("en", recommendations=False), settings_with()])
async def test_settings_can_disable_recommendations(settings: UserSettings) -> None:
    transport = answering(post("en"))

    assert await Social(client(transport)).recommendations(ADA, settings) == Ok(())
    assert transport.requests == []


async def test_post_in_another_language_is_dropped() -> None:
    social = Social(client(answering(post("en"), post("fr"), post("de"))))

    assert await social.posts(FRIENDS, settings_with("de", "en")) == Ok((post("en"), post("de")))
    assert await social.recommendations(ADA, settings_with("fr")) == Ok((post("fr"),))


async def test_id_of_a_friend_is_escaped_in_the_query() -> None:
    transport = answering()
    await Social(client(transport)).posts((Friend(user_id="a&language=fr"),), settings_with("en"))
    (request,) = transport.requests

    assert request.url.raw_path == b"/api/posts?author=a%26language%3Dfr&language=en"
