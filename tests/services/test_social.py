"""What is asked of the social service, and what is not asked because nothing could come of it."""

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


def wants(*languages: str, recommendations: bool = True) -> UserSettings:
    return UserSettings(languages=languages, show_recommendations=recommendations)


def answering(*posts: Post) -> Answering:
    return Answering(httpx.Response(200, json=[one.model_dump() for one in posts]))


@pytest.mark.parametrize(
    ("friends", "settings"), [((), wants("en")), (FRIENDS, wants())], ids=["no friends", "no languages"]
)
async def test_without_friends_or_languages_there_are_no_posts_to_ask_for(
    friends: Sequence[Friend], settings: UserSettings
) -> None:
    transport = answering(post("en"))

    assert await Social(client(transport)).posts(friends, settings) == Ok(())
    assert transport.requests == []


async def test_without_friends_there_are_no_notifications_to_ask_for() -> None:
    transport = Answering()

    assert await Social(client(transport)).notifications(()) == Ok(())
    assert transport.requests == []


async def test_without_posts_there_is_no_engagement_to_ask_for() -> None:
    transport = Answering()
    result = await Social(client(transport)).engagement(())

    assert result.map(len) == Ok(0)
    assert transport.requests == []


@pytest.mark.parametrize("settings", [wants("en", recommendations=False), wants()])
async def test_who_wants_no_recommendations_or_reads_no_language_gets_none(settings: UserSettings) -> None:
    transport = answering(post("en"))

    assert await Social(client(transport)).recommendations(ADA, settings) == Ok(())
    assert transport.requests == []


async def test_a_post_in_a_language_that_was_not_asked_for_is_dropped() -> None:
    social = Social(client(answering(post("en"), post("fr"), post("de"))))

    assert await social.posts(FRIENDS, wants("de", "en")) == Ok((post("en"), post("de")))
    assert await social.recommendations(ADA, wants("fr")) == Ok((post("fr"),))


async def test_what_a_friend_is_called_cannot_change_the_question() -> None:
    transport = answering()
    await Social(client(transport)).posts((Friend(user_id="a&language=fr"),), wants("en"))
    (request,) = transport.requests

    assert request.url.raw_path == b"/api/posts?author=a%26language%3Dfr&language=en"
