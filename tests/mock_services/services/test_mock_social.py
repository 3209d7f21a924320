import httpx
import pytest

from tests.mock_services.in_process_client import create_client

FRIENDS = ("user-456", "user-789")


@pytest.fixture
def social() -> httpx.AsyncClient:
    return create_client("social")


async def posts_of(
    social: httpx.AsyncClient, path: str, **params: str | tuple[str, ...]
) -> list[tuple[str, str]]:
    answer = await social.get(path, params=params)

    assert answer.status_code == 200
    assert all(list(post) == ["post_id", "author_id", "language", "text"] for post in answer.json())
    return [(post["author_id"], post["language"]) for post in answer.json()]


@pytest.mark.parametrize(
    ("user_id", "friends"),
    [
        ("user-123", ["user-456", "user-789"]),
        ("user-456", ["user-123"]),
        ("user-789", []),
        ("nonexistent-user", []),
    ],
)
async def test_friends_are_those_whom_a_user_follows(
    social: httpx.AsyncClient, user_id: str, friends: list[str]
) -> None:
    answer = await social.get(f"/friends/{user_id}")

    assert answer.status_code == 200
    assert answer.json() == [{"user_id": friend} for friend in friends]


async def test_posts_are_those_of_the_authors_in_the_languages_that_are_asked_for(
    social: httpx.AsyncClient,
) -> None:
    posts = await posts_of(social, "/posts", author=FRIENDS, language=("en", "de"))

    assert posts == [(author, language) for author in FRIENDS for language in ("en", "de")]


async def test_where_no_language_is_asked_for_posts_come_in_all_of_them(social: httpx.AsyncClient) -> None:
    posts = await posts_of(social, "/posts", author="user-456")

    assert posts == [("user-456", "en"), ("user-456", "de"), ("user-456", "fr")]


async def test_there_are_no_posts_without_an_author_or_in_a_language_in_which_nobody_writes(
    social: httpx.AsyncClient,
) -> None:
    assert await posts_of(social, "/posts") == []
    assert await posts_of(social, "/posts", language="en") == []
    assert await posts_of(social, "/posts", author="nonexistent-user") == []
    assert await posts_of(social, "/posts", author=FRIENDS, language="is") == []


async def test_notifications_are_those_from_the_users_that_are_asked_for(social: httpx.AsyncClient) -> None:
    one = (await social.get("/notifications", params={"from": "user-456"})).json()
    both = (await social.get("/notifications", params={"from": FRIENDS})).json()

    assert one == [
        {"notification_id": "notification-2", "from_user_id": "user-456", "text": "has liked your post"}
    ]
    assert {notification["from_user_id"] for notification in both} == set(FRIENDS)
    assert (await social.get("/notifications")).json() == []


async def test_every_post_has_engagement(social: httpx.AsyncClient) -> None:
    posts = (await social.get("/posts", params={"author": FRIENDS})).json()
    ids = [post["post_id"] for post in posts]

    engagement = (await social.get("/engagement", params={"post_id": ids})).json()

    assert list(engagement) == ids
    assert engagement["post-201"] == {"likes": 28, "comments": 4}


async def test_engagement_leaves_out_posts_that_do_not_exist(social: httpx.AsyncClient) -> None:
    assert (await social.get("/engagement", params={"post_id": "post-none"})).json() == {}
    assert (await social.get("/engagement")).json() == {}


async def test_recommendations_are_what_strangers_have_posted(social: httpx.AsyncClient) -> None:
    recommended = await posts_of(social, "/recommendations", user_id="user-123", language=("en", "de"))

    assert recommended == [("user-high-risk", "en"), ("user-high-risk", "de")]


async def test_to_an_unknown_user_everybody_is_a_stranger(social: httpx.AsyncClient) -> None:
    recommended = await posts_of(social, "/recommendations", user_id="nonexistent-user", language="fr")

    assert recommended == [
        (author, "fr") for author in ("user-123", "user-456", "user-789", "user-high-risk")
    ]


@pytest.mark.parametrize(
    "url",
    [
        "/recommendations",
        "/recommendations?user_id=",
        "/recommendations?user_id=user-123&user_id=user-456",
        "/posts?author=user%20123",
        "/posts?author=",
        "/posts?colour=red",
        "/notifications?senders=user-123",
        "/engagement?post_id=%FF",
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(social: httpx.AsyncClient, url: str) -> None:
    assert (await social.get(url)).status_code == 422


@pytest.mark.parametrize(
    ("url", "field"),
    [("/posts?author=user-123&author=user%20123", "author.1"), ("/posts?colour=red", "colour")],
)
async def test_what_makes_no_sense_is_named_by_its_dotted_path(
    social: httpx.AsyncClient, url: str, field: str
) -> None:
    answer = await social.get(url)

    assert answer.json()["detail"].startswith(f"{field}: ")
