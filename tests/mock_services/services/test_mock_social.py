import httpx
import pytest

from tests.mock_services.in_process_client import create_client

FRIENDS = ("user-456", "user-789")


@pytest.fixture
def social() -> httpx.AsyncClient:
    return create_client("social")


async def fetch_posts(
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
async def test_friends_are_listed_for_any_user_id(
    social: httpx.AsyncClient, user_id: str, friends: list[str]
) -> None:
    answer = await social.get(f"/friends/{user_id}")

    assert answer.status_code == 200
    assert answer.json() == [{"user_id": friend} for friend in friends]


async def test_posts_are_filtered_by_author_and_language(
    social: httpx.AsyncClient,
) -> None:
    posts = await fetch_posts(social, "/posts", author=FRIENDS, language=("en", "de"))

    assert posts == [(author, language) for author in FRIENDS for language in ("en", "de")]


async def test_posts_default_to_all_languages(social: httpx.AsyncClient) -> None:
    posts = await fetch_posts(social, "/posts", author="user-456")

    assert posts == [("user-456", "en"), ("user-456", "de"), ("user-456", "fr")]


async def test_posts_without_match_are_empty(
    social: httpx.AsyncClient,
) -> None:
    assert await fetch_posts(social, "/posts") == []
    assert await fetch_posts(social, "/posts", language="en") == []
    assert await fetch_posts(social, "/posts", author="nonexistent-user") == []
    assert await fetch_posts(social, "/posts", author=FRIENDS, language="is") == []


async def test_notifications_are_filtered_by_sender(social: httpx.AsyncClient) -> None:
    from_friend = (await social.get("/notifications", params={"from": "user-456"})).json()
    from_both = (await social.get("/notifications", params={"from": FRIENDS})).json()

    assert from_friend == [
        {"notification_id": "notification-2", "from_user_id": "user-456", "text": "has liked your post"}
    ]
    assert {notification["from_user_id"] for notification in from_both} == set(FRIENDS)
    assert (await social.get("/notifications")).json() == []


async def test_every_post_has_engagement(social: httpx.AsyncClient) -> None:
    posts = (await social.get("/posts", params={"author": FRIENDS})).json()
    ids = [post["post_id"] for post in posts]

    engagement = (await social.get("/engagement", params={"post_id": ids})).json()

    assert list(engagement) == ids
    assert engagement["post-201"] == {"likes": 28, "comments": 4}


async def test_engagement_omits_unknown_posts(social: httpx.AsyncClient) -> None:
    assert (await social.get("/engagement", params={"post_id": "post-none"})).json() == {}
    assert (await social.get("/engagement")).json() == {}


async def test_recommendations_are_posts_by_strangers(social: httpx.AsyncClient) -> None:
    recommended = await fetch_posts(social, "/recommendations", user_id="user-123", language=("en", "de"))

    assert recommended == [("user-high-risk", "en"), ("user-high-risk", "de")]


async def test_unknown_user_gets_posts_by_all_authors(social: httpx.AsyncClient) -> None:
    recommended = await fetch_posts(social, "/recommendations", user_id="nonexistent-user", language="fr")

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
async def test_invalid_query_is_rejected(social: httpx.AsyncClient, url: str) -> None:
    assert (await social.get(url)).status_code == 422


@pytest.mark.parametrize(
    ("url", "field"),
    [("/posts?author=user-123&author=user%20123", "author.1"), ("/posts?colour=red", "colour")],
)
async def test_invalid_query_detail_has_dotted_path(social: httpx.AsyncClient, url: str, field: str) -> None:
    answer = await social.get(url)

    assert answer.json()["detail"].startswith(f"{field}: ")
