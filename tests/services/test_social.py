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


def build_post(language: str) -> Post:
    return Post(post_id=f"post-{language}", author_id="user-456", language=language, text="")


def build_settings(*languages: str, recommendations: bool = True) -> UserSettings:
    return UserSettings(languages=languages, show_recommendations=recommendations)


def respond_with(*posts: Post) -> Answering:
    return Answering(httpx.Response(200, json=[post.model_dump() for post in posts]))


@pytest.mark.parametrize(
    ("friends", "settings"),
    [((), build_settings("en")), (FRIENDS, build_settings())],
    ids=["no friends", "no languages"],
)
async def test_posts_of_no_friends_or_languages_need_no_request(
    friends: Sequence[Friend], settings: UserSettings
) -> None:
    transport = respond_with(build_post("en"))

    assert await Social(client(transport)).posts(friends, settings) == Ok(())
    assert transport.requests == []


async def test_notifications_of_no_friends_are_empty() -> None:
    transport = Answering()

    assert await Social(client(transport)).notifications(()) == Ok(())
    assert transport.requests == []


async def test_engagement_of_no_posts_is_empty() -> None:
    transport = Answering()
    result = await Social(client(transport)).engagement(())

    assert result.map(len) == Ok(0)
    assert transport.requests == []


@pytest.mark.parametrize("settings", [build_settings("en", recommendations=False), build_settings()])
async def test_settings_can_disable_recommendations(settings: UserSettings) -> None:
    transport = respond_with(build_post("en"))

    assert await Social(client(transport)).recommendations(ADA, settings) == Ok(())
    assert transport.requests == []


async def test_post_in_other_language_is_dropped() -> None:
    social = Social(client(respond_with(build_post("en"), build_post("fr"), build_post("de"))))

    assert await social.posts(FRIENDS, build_settings("de", "en")) == Ok((build_post("en"), build_post("de")))
    assert await social.recommendations(ADA, build_settings("fr")) == Ok((build_post("fr"),))


async def test_friend_id_is_escaped_in_query() -> None:
    transport = respond_with()
    await Social(client(transport)).posts((Friend(user_id="a&language=fr"),), build_settings("en"))
    (request,) = transport.requests

    assert request.url.raw_path == b"/api/posts?author=a%26language%3Dfr&language=en"
