"""What a feed asks, in which order, and what becomes of it if something is missing."""

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
from tests.pipelines.scripted_services import FOREVER, ORDERS, World, again, now

USER: Final = "/users/user-1"
FRIENDS: Final = "/friends/user-1"
SETTINGS: Final = "/users/user-1/settings"
POSTS: Final = "/posts"
NOTIFICATIONS: Final = "/notifications"
ENGAGEMENT: Final = "/engagement"
RECOMMENDATIONS: Final = "/recommendations"

PROFILE: Final = (USER, FRIENDS, SETTINGS)
CONTENT: Final = (POSTS, NOTIFICATIONS)
RESPONSE: Final = (ENGAGEMENT, RECOMMENDATIONS)

ADA: Final = User(user_id="user-1", email="ada@example.com", is_active=True)
BOB: Final = Friend(user_id="user-2")
WANTS: Final = UserSettings(languages=("en", "de"), show_recommendations=True)
FROST: Final = Post(post_id="post-1", author_id="user-2", language="en", text="First frost.")
CHESS: Final = Post(post_id="post-2", author_id="user-3", language="de", text="Zehn Schachprobleme.")
LIKED: Final = Notification(notification_id="notification-1", from_user_id="user-2", text="has liked it")
WARM: Final = Engagement(likes=7, comments=0)

FEED: Final = FeedResult(
    profile=ADA,
    friends=(BOB,),
    settings=WANTS,
    posts=(FROST,),
    notifications=(LIKED,),
    engagement={"post-1": WARM},
    recommended=(CHESS,),
)


@pytest.fixture
def world() -> World:
    return World(
        {
            USER: ADA.model_dump(),
            FRIENDS: [BOB.model_dump()],
            SETTINGS: WANTS.model_dump(),
            POSTS: [FROST.model_dump()],
            NOTIFICATIONS: [LIKED.model_dump()],
            ENGAGEMENT: {"post-1": WARM.model_dump()},
            RECOMMENDATIONS: [CHESS.model_dump()],
        }
    )


async def test_a_feed_asks_in_three_stages_and_takes_as_long_as_the_slowest_of_each(world: World) -> None:
    world.delays = {USER: 0.5, FRIENDS: 0.25, NOTIFICATIONS: 0.125, ENGAGEMENT: 0.25, RECOMMENDATIONS: 0.5}

    assert await feed("user-1", world.up) == Ok(FEED)
    assert world.asked == [*PROFILE, *CONTENT, *RESPONSE]
    assert now() == 1.125


@pytest.mark.parametrize("delays", ORDERS)
async def test_a_feed_is_the_same_whatever_comes_first(world: World, delays: tuple[float, ...]) -> None:
    for stage in (PROFILE, CONTENT, RESPONSE):
        world.delays |= dict(zip(stage, delays, strict=False))

    assert await feed("user-1", world.up) == Ok(FEED)


@pytest.mark.parametrize("delays", ORDERS)
async def test_failures_stand_in_the_order_of_the_calls_whatever_comes_first(
    world: World, delays: tuple[float, ...]
) -> None:
    world.delays = dict(zip(PROFILE, delays, strict=True))
    world.answers |= {USER: 404, FRIENDS: 503, SETTINGS: {}}
    result = await feed("user-1", world.up)

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
async def test_without_a_part_of_the_profile_there_is_no_feed_and_nothing_more_is_asked(
    world: World, path: str, answer: int, error: type[Fault], source: str
) -> None:
    world.answers[path] = answer
    result = await feed("user-1", world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, source)
    assert world.asked == [*PROFILE, *again(path, error)]


async def test_without_posts_there_is_no_feed_and_nothing_more_is_asked(world: World) -> None:
    world.answers[POSTS] = 500
    result = await feed("user-1", world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "social.posts")
    assert world.asked == [*PROFILE, *CONTENT]


@pytest.mark.parametrize("answer", [404, 500, 503, {"no": "list"}])
@pytest.mark.parametrize(
    ("path", "field", "source"),
    [
        (NOTIFICATIONS, "notifications", "social.notifications"),
        (ENGAGEMENT, "engagement", "social.engagement"),
        (RECOMMENDATIONS, "recommended", "social.recommendations"),
    ],
)
async def test_an_extra_that_fails_is_null_and_named(
    world: World, path: str, field: str, source: str, answer: object
) -> None:
    world.answers[path] = answer

    expected = FEED.model_copy(update={field: None, "degraded": (field,)})
    assert await feed("user-1", world.up) == Ok(expected, lacks=(source,))


async def test_extras_that_are_missing_are_named_in_the_order_of_the_fields(world: World) -> None:
    world.answers |= {NOTIFICATIONS: 503, ENGAGEMENT: 503, RECOMMENDATIONS: 503}
    result = await feed("user-1", world.up)

    assert isinstance(result, Ok)
    assert result.value.degraded == ("notifications", "engagement", "recommended")


@pytest.mark.parametrize("path", [NOTIFICATIONS, ENGAGEMENT, RECOMMENDATIONS])
async def test_an_extra_that_hangs_costs_no_more_than_the_budget_of_extras(world: World, path: str) -> None:
    world.delays[path] = FOREVER
    result = await feed.on(RunContext(optional_budget=0.5))("user-1", world.up)

    assert isinstance(result, Ok)
    assert len(result.value.degraded) == 1
    assert now() == 0.5


async def test_who_has_no_friends_is_not_degraded_and_the_service_is_not_asked(world: World) -> None:
    world.answers[FRIENDS] = []
    result = await feed("user-1", world.up)

    nothing: dict[str, object] = {"friends": (), "posts": (), "notifications": (), "engagement": {}}
    assert result == Ok(FEED.model_copy(update=nothing))
    assert world.asked == [*PROFILE, RECOMMENDATIONS]


async def test_friends_who_post_nothing_leave_nothing_to_be_received(world: World) -> None:
    world.answers[POSTS] = []

    assert await feed("user-1", world.up) == Ok(FEED.model_copy(update={"posts": (), "engagement": {}}))
    assert ENGAGEMENT not in world.asked


async def test_who_wants_no_recommendations_is_not_degraded_and_gets_none(world: World) -> None:
    settings = WANTS.model_copy(update={"show_recommendations": False})
    world.answers[SETTINGS] = settings.model_dump()

    expected = FEED.model_copy(update={"settings": settings, "recommended": ()})
    assert await feed("user-1", world.up) == Ok(expected)
    assert RECOMMENDATIONS not in world.asked


async def test_who_reads_no_language_sees_no_posts(world: World) -> None:
    settings = WANTS.model_copy(update={"languages": ()})
    world.answers[SETTINGS] = settings.model_dump()

    nothing: dict[str, object] = {"settings": settings, "posts": (), "engagement": {}, "recommended": ()}
    assert await feed("user-1", world.up) == Ok(FEED.model_copy(update=nothing))
    assert world.asked == [*PROFILE, NOTIFICATIONS]


async def test_only_posts_in_the_languages_of_the_settings_are_shown(world: World) -> None:
    french = FROST.model_copy(update={"language": "fr"})
    world.answers[POSTS] = world.answers[RECOMMENDATIONS] = [french.model_dump(), CHESS.model_dump()]
    result = await feed("user-1", world.up)

    assert isinstance(result, Ok)
    assert (result.value.posts, result.value.recommended) == ((CHESS,), (CHESS,))


def test_a_feed_promises_an_unknown_user_and_what_befalls_every_call() -> None:
    assert feed.promised == (NotFound, BadAnswer, Unavailable, TimedOut, Aggregate)
