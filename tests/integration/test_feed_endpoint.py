"""GET /feed/{user_id} as it is wired, in one process with the mock services."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import httpx
import pytest

from gateway.app import create_app
from tests.integration.in_process import InProcess

EXTRAS: Final = [
    ("/notifications", "notifications"),
    ("/engagement", "engagement"),
    ("/recommendations", "recommended"),
]


@pytest.fixture
def services() -> InProcess:
    return InProcess()


@pytest.fixture
async def client(services: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(transport=services)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


def timed(answer: httpx.Response) -> Sequence[str]:
    """Name the calls that `Server-Timing` shows."""
    return [entry.partition(";")[0] for entry in answer.headers["server-timing"].split(", ")][:-1]


def post(number: int, author: str, language: str, text: str) -> dict[str, str]:
    return {"post_id": f"post-{number}", "author_id": author, "language": language, "text": text}


def notification(number: int, sender: str, text: str) -> dict[str, str]:
    return {"notification_id": f"notification-{number}", "from_user_id": sender, "text": text}


FEED: Final[dict[str, Any]] = {
    "profile": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "friends": [{"user_id": "user-456"}, {"user_id": "user-789"}],
    "settings": {"languages": ["en", "de"], "show_recommendations": True},
    "posts": [
        post(201, "user-456", "en", "First frost on the allotment this morning."),
        post(202, "user-456", "de", "Heute früh lag der erste Reif im Garten."),
        post(301, "user-789", "en", "The night train to Vienna runs again."),
        post(302, "user-789", "de", "Der Nachtzug nach Wien fährt wieder."),
    ],
    "notifications": [
        notification(2, "user-456", "has liked your post"),
        notification(3, "user-789", "has commented on your post"),
        notification(4, "user-789", "is on the way to Vienna"),
    ],
    "engagement": {
        "post-201": {"likes": 28, "comments": 4},
        "post-202": {"likes": 35, "comments": 0},
        "post-301": {"likes": 9, "comments": 2},
        "post-302": {"likes": 16, "comments": 3},
    },
    "recommended": [
        post(401, "user-high-risk", "en", "Ten chess problems for the weekend."),
        post(402, "user-high-risk", "de", "Zehn Schachprobleme fürs Wochenende."),
    ],
    "degraded": [],
}


async def test_a_feed_is_everything_a_user_sees_first(client: httpx.AsyncClient) -> None:
    answer = await client.get("/feed/user-123")

    assert (answer.status_code, answer.json()) == (200, FEED)
    assert list(answer.json()) == list(FEED)
    assert answer.headers["gateway-completed"] == "true"
    assert answer.headers["cache-control"] == "no-store"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.04)


async def test_every_call_that_was_made_is_timed(client: httpx.AsyncClient) -> None:
    assert timed(await client.get("/feed/user-123")) == [
        "users.fetch",
        "social.friends",
        "users.settings",
        "social.posts",
        "social.notifications",
        "social.engagement",
        "social.recommendations",
    ]


@pytest.mark.parametrize("kind", ["hang", "status", "garbage"])
@pytest.mark.parametrize(("path", "field"), EXTRAS)
async def test_an_extra_that_is_missing_is_null_and_named_and_the_rest_is_there(
    services: InProcess, client: httpx.AsyncClient, path: str, field: str, kind: str
) -> None:
    await services.break_down("social", (path, kind))
    answer = await client.get("/feed/user-123")

    assert (answer.status_code, answer.json()) == (200, {**FEED, field: None, "degraded": [field]})
    assert answer.headers["gateway-completed"] == "false"
    assert answer.headers["cache-control"] == "no-store"
    assert len(timed(answer)) == 7


@pytest.mark.parametrize("path", [path for path, _ in EXTRAS])
async def test_an_extra_that_hangs_has_half_a_second(
    services: InProcess, client: httpx.AsyncClient, path: str
) -> None:
    await services.break_down("social", (path, "hang"))
    await client.get("/feed/user-123")

    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.5)


async def test_all_extras_may_be_missing(services: InProcess, client: httpx.AsyncClient) -> None:
    await services.break_down("social", *((path, "status") for path, _ in EXTRAS))
    answer = await client.get("/feed/user-123")

    missing = {field: None for _, field in EXTRAS}
    assert answer.json() == {**FEED, **missing, "degraded": [field for _, field in EXTRAS]}


@pytest.mark.parametrize("failing", [("hang", 504), ("status", 503), ("garbage", 502)])
@pytest.mark.parametrize(
    "needed",
    [
        ("social", "/friends", "social.friends"),
        ("user", "/users/user-123/settings", "users.settings"),
        ("social", "/posts", "social.posts"),
    ],
)
async def test_without_what_a_feed_is_made_of_there_is_none(
    services: InProcess, client: httpx.AsyncClient, needed: tuple[str, str, str], failing: tuple[str, int]
) -> None:
    (service, path, source), (kind, status) = needed, failing
    await services.break_down(service, (path, kind))
    answer = await client.get("/feed/user-123")

    assert (answer.status_code, answer.json()["source"]) == (status, source)
    assert answer.headers["gateway-completed"] == "false"
    assert answer.headers["cache-control"] == "no-store"
    assert "GET /engagement" not in await services.calls_of("social")


async def test_a_broken_user_service_is_told_for_both_of_its_calls(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("user", ("/", "hang"))
    answer = await client.get("/feed/user-123")

    parts = [(part["status"], part["source"]) for part in answer.json()["errors"]]
    assert (answer.status_code, parts) == (504, [(504, "users.fetch"), (504, "users.settings")])


async def test_an_unknown_user_has_no_feed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/feed/nonexistent-user")

    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["source"]) == (404, "not-found", "users.fetch")
    assert problem["detail"] == "User not found: nonexistent-user"
    assert timed(answer) == ["users.fetch", "social.friends", "users.settings"]


async def test_an_unknown_user_and_a_broken_service_are_both_told(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("social", ("/friends", "status"))
    answer = await client.get("/feed/nonexistent-user")

    parts = [(part["status"], part["source"]) for part in answer.json()["errors"]]
    assert (answer.status_code, parts) == (503, [(404, "users.fetch"), (503, "social.friends")])


async def test_without_friends_neither_posts_nor_notifications_are_asked_for(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    body = (await client.get("/feed/user-789")).json()

    assert [body[name] for name in ("friends", "posts", "notifications", "degraded")] == [[], [], [], []]
    assert body["engagement"] == {}
    assert [one["post_id"] for one in body["recommended"]] == ["post-101", "post-201", "post-401"]
    assert await services.calls_of("social") == ["GET /friends/{id}", "GET /recommendations"]


async def test_what_was_not_asked_for_is_not_timed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/feed/user-789")

    assert timed(answer) == ["users.fetch", "social.friends", "users.settings", "social.recommendations"]


async def test_who_wants_no_recommendations_has_a_whole_feed_without_any(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("social", ("/recommendations", "status"))
    answer = await client.get("/feed/user-456")

    assert (answer.json()["recommended"], answer.json()["degraded"]) == ([], [])
    assert [one["language"] for one in answer.json()["posts"]] == ["en"]
    assert answer.headers["gateway-completed"] == "true"
    assert "GET /recommendations" not in await services.calls_of("social")


@pytest.mark.parametrize("bad", ["-a", "a%20b", "a%0A", "%C3%A9", "x" * 65])
async def test_what_is_not_an_id_never_becomes_a_path(
    services: InProcess, client: httpx.AsyncClient, bad: str
) -> None:
    answer = await client.get(f"/feed/{bad}")

    assert answer.status_code == 422
    assert [violation["field"] for violation in answer.json()["violations"]] == ["user_id"]
    assert await services.calls_of("user") == []


async def test_a_head_is_answered_without_a_body(client: httpx.AsyncClient) -> None:
    answer = await client.head("/feed/user-123")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_documentation_says_what_a_feed_can_be_answered_with(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/feed/{user_id}"]["get"]["responses"]

    assert sorted(responses) == [
        "200", "400", "404", "408", "413", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    assert list(responses["200"]["content"]["application/json"]["example"]) == list(FEED)
    assert document["components"]["schemas"]["FeedResult"]["required"] == list(FEED)
