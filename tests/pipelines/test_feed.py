"""Feed pipeline: its stages, and the optional parts of its answer."""

from typing import Final

import pytest

from gateway.pipelines.feed import FeedResult, feed
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Err,
    Fault,
    NotFound,
    Ok,
    RunContext,
    TimedOut,
    Unavailable,
)
from gateway.services.social import Engagement, Friend, Notification, Post
from gateway.services.users import User, UserSettings
from tests.pipelines.scripted_services import FOREVER, PERMUTED_DELAYS, FakeServices, list_repeats, now

USER: Final = "/users/user-1"
FRIENDS: Final = "/friends/user-1"
SETTINGS: Final = "/users/user-1/settings"
POSTS: Final = "/posts"
NOTIFICATIONS: Final = "/notifications"
ENGAGEMENT: Final = "/engagement"
RECOMMENDATIONS: Final = "/recommendations"

PROFILE: Final = (USER, FRIENDS, SETTINGS)
CONTENT: Final = (POSTS, NOTIFICATIONS)
LAST_STAGE: Final = (ENGAGEMENT, RECOMMENDATIONS)

ADA: Final = User(user_id="user-1", email="ada@example.com", is_active=True)
BOB: Final = Friend(user_id="user-2")
USER_SETTINGS: Final = UserSettings(languages=("en", "de"), show_recommendations=True)
FRIENDS_POST: Final = Post(post_id="post-1", author_id="user-2", language="en", text="First frost.")
RECOMMENDED_POST: Final = Post(
    post_id="post-2", author_id="user-3", language="de", text="Zehn Schachprobleme."
)
NOTIFICATION: Final = Notification(
    notification_id="notification-1", from_user_id="user-2", text="has liked it"
)
LIKES: Final = Engagement(likes=7, comments=0)

FEED: Final = FeedResult(
    profile=ADA,
    friends=(BOB,),
    settings=USER_SETTINGS,
    posts=(FRIENDS_POST,),
    notifications=(NOTIFICATION,),
    engagement={"post-1": LIKES},
    recommended=(RECOMMENDED_POST,),
)


@pytest.fixture
def fake() -> FakeServices:
    return FakeServices(
        {
            USER: ADA.model_dump(),
            FRIENDS: [BOB.model_dump()],
            SETTINGS: USER_SETTINGS.model_dump(),
            POSTS: [FRIENDS_POST.model_dump()],
            NOTIFICATIONS: [NOTIFICATION.model_dump()],
            ENGAGEMENT: {"post-1": LIKES.model_dump()},
            RECOMMENDATIONS: [RECOMMENDED_POST.model_dump()],
        }
    )


async def test_feed_calls_run_in_three_stages(fake: FakeServices) -> None:
    fake.delays = {USER: 0.5, FRIENDS: 0.25, NOTIFICATIONS: 0.125, ENGAGEMENT: 0.25, RECOMMENDATIONS: 0.5}

    assert await fake.services.run(feed, "user-1") == Ok(FEED)
    assert fake.paths == [*PROFILE, *CONTENT, *LAST_STAGE]
    assert now() == 1.125


@pytest.mark.parametrize("delays", PERMUTED_DELAYS)
async def test_feed_ignores_order_of_responses(fake: FakeServices, delays: tuple[float, ...]) -> None:
    for stage in (PROFILE, CONTENT, LAST_STAGE):
        fake.delays |= dict(zip(stage, delays, strict=False))

    assert await fake.services.run(feed, "user-1") == Ok(FEED)


@pytest.mark.parametrize("delays", PERMUTED_DELAYS)
async def test_feed_reports_failures_in_call_order(fake: FakeServices, delays: tuple[float, ...]) -> None:
    fake.delays = dict(zip(PROFILE, delays, strict=True))
    fake.answers |= {USER: 404, FRIENDS: 503, SETTINGS: {}}
    result = await fake.services.run(feed, "user-1")

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [(type(fault), fault.source) for fault in result.error.errors] == [
        (NotFound, "users.fetch"),
        (Unavailable, "social.friends"),
        (BadAnswer, "users.settings"),
    ]


@pytest.mark.parametrize(
    ("path", "answer", "error", "source"),
    [
        (USER, 404, NotFound, "users.fetch"),
        (USER, 503, Unavailable, "users.fetch"),
        (FRIENDS, 404, BadAnswer, "social.friends"),
        (SETTINGS, 404, BadAnswer, "users.settings"),
        (SETTINGS, 504, TimedOut, "users.settings"),
    ],
)
async def test_failed_profile_call_ends_feed(
    fake: FakeServices, path: str, answer: int, error: type[Fault], source: str
) -> None:
    fake.answers[path] = answer
    result = await fake.services.run(feed, "user-1")

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, source)
    assert fake.paths == [*PROFILE, *list_repeats(path, error)]


async def test_failed_posts_end_feed(fake: FakeServices) -> None:
    fake.answers[POSTS] = 500
    result = await fake.services.run(feed, "user-1")

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "social.posts")
    assert fake.paths == [*PROFILE, *CONTENT]


@pytest.mark.parametrize("answer", [404, 500, 503, {"no": "list"}])
@pytest.mark.parametrize(
    ("path", "field", "source"),
    [
        (NOTIFICATIONS, "notifications", "social.notifications"),
        (ENGAGEMENT, "engagement", "social.engagement"),
        (RECOMMENDATIONS, "recommended", "social.recommendations"),
    ],
)
async def test_failed_optional_call_degrades_feed(
    fake: FakeServices, path: str, field: str, source: str, answer: object
) -> None:
    fake.answers[path] = answer

    expected = FEED.model_copy(update={field: None, "degraded": (field,)})
    assert await fake.services.run(feed, "user-1") == Ok(expected, lacks=(source,))


async def test_degraded_fields_are_in_field_order(fake: FakeServices) -> None:
    fake.answers |= {NOTIFICATIONS: 503, ENGAGEMENT: 503, RECOMMENDATIONS: 503}
    result = await fake.services.run(feed, "user-1")

    assert isinstance(result, Ok)
    assert result.value.degraded == ("notifications", "engagement", "recommended")


@pytest.mark.parametrize("path", [NOTIFICATIONS, ENGAGEMENT, RECOMMENDATIONS])
async def test_hanging_optional_call_costs_its_budget(fake: FakeServices, path: str) -> None:
    fake.delays[path] = FOREVER
    result = await fake.services.run(feed.on(RunContext(optional_budget=0.5)), "user-1")

    assert isinstance(result, Ok)
    assert len(result.value.degraded) == 1
    assert now() == 0.5


async def test_feed_without_friends_has_no_posts(fake: FakeServices) -> None:
    fake.answers[FRIENDS] = []
    result = await fake.services.run(feed, "user-1")

    nothing: dict[str, object] = {"friends": (), "posts": (), "notifications": (), "engagement": {}}
    assert result == Ok(FEED.model_copy(update=nothing))
    assert fake.paths == [*PROFILE, RECOMMENDATIONS]


async def test_feed_without_posts_has_no_engagement(fake: FakeServices) -> None:
    fake.answers[POSTS] = []

    assert await fake.services.run(feed, "user-1") == Ok(
        FEED.model_copy(update={"posts": (), "engagement": {}})
    )
    assert ENGAGEMENT not in fake.paths


async def test_disabled_recommendations_are_empty(fake: FakeServices) -> None:
    """Disabled recommendations are not degraded, and send no request."""
    settings = USER_SETTINGS.model_copy(update={"show_recommendations": False})
    fake.answers[SETTINGS] = settings.model_dump()

    expected = FEED.model_copy(update={"settings": settings, "recommended": ()})
    assert await fake.services.run(feed, "user-1") == Ok(expected)
    assert RECOMMENDATIONS not in fake.paths


async def test_feed_without_languages_has_no_posts(fake: FakeServices) -> None:
    settings = USER_SETTINGS.model_copy(update={"languages": ()})
    fake.answers[SETTINGS] = settings.model_dump()

    nothing: dict[str, object] = {"settings": settings, "posts": (), "engagement": {}, "recommended": ()}
    assert await fake.services.run(feed, "user-1") == Ok(FEED.model_copy(update=nothing))
    assert fake.paths == [*PROFILE, NOTIFICATIONS]


async def test_feed_has_only_posts_in_user_languages(fake: FakeServices) -> None:
    french = FRIENDS_POST.model_copy(update={"language": "fr"})
    fake.answers[POSTS] = fake.answers[RECOMMENDATIONS] = [french.model_dump(), RECOMMENDED_POST.model_dump()]
    result = await fake.services.run(feed, "user-1")

    assert isinstance(result, Ok)
    assert (result.value.posts, result.value.recommended) == ((RECOMMENDED_POST,), (RECOMMENDED_POST,))


def test_feed_declares_every_class_of_feed_error() -> None:
    assert feed.promised == (NotFound, BadAnswer, Unavailable, TimedOut, Aggregate)
