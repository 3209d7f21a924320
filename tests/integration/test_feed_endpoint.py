"""GET /feed/{user_id} of the sample gateway, with in-process mock services."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import httpx
import pytest

from gateway.app import create_app
from tests.integration.in_process import InProcessServices

EXTRAS: Final = [
    ("/notifications", "notifications"),
    ("/engagement", "engagement"),
    ("/recommendations", "recommended"),
]


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(transport=services)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


def list_timed_calls(response: httpx.Response) -> Sequence[str]:
    """Return the names of the calls in `Server-Timing`."""
    return [entry.partition(";")[0] for entry in response.headers["server-timing"].split(", ")][:-1]


def build_post(number: int, author: str, language: str, text: str) -> dict[str, str]:
    return {"post_id": f"post-{number}", "author_id": author, "language": language, "text": text}


def build_notification(number: int, sender: str, text: str) -> dict[str, str]:
    return {"notification_id": f"notification-{number}", "from_user_id": sender, "text": text}


FEED: Final[dict[str, Any]] = {
    "profile": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "friends": [{"user_id": "user-456"}, {"user_id": "user-789"}],
    "settings": {"languages": ["en", "de"], "show_recommendations": True},
    "posts": [
        build_post(201, "user-456", "en", "First frost on the allotment this morning."),
        build_post(202, "user-456", "de", "Heute früh lag der erste Reif im Garten."),
        build_post(301, "user-789", "en", "The night train to Vienna runs again."),
        build_post(302, "user-789", "de", "Der Nachtzug nach Wien fährt wieder."),
    ],
    "notifications": [
        build_notification(2, "user-456", "has liked your post"),
        build_notification(3, "user-789", "has commented on your post"),
        build_notification(4, "user-789", "is on the way to Vienna"),
    ],
    "engagement": {
        "post-201": {"likes": 28, "comments": 4},
        "post-202": {"likes": 35, "comments": 0},
        "post-301": {"likes": 9, "comments": 2},
        "post-302": {"likes": 16, "comments": 3},
    },
    "recommended": [
        build_post(401, "user-high-risk", "en", "Ten chess problems for the weekend."),
        build_post(402, "user-high-risk", "de", "Zehn Schachprobleme fürs Wochenende."),
    ],
    "degraded": [],
}


async def test_feed_has_all_parts_in_order(client: httpx.AsyncClient) -> None:
    response = await client.get("/feed/user-123")

    assert (response.status_code, response.json()) == (200, FEED)
    assert list(response.json()) == list(FEED)
    assert response.headers["gateway-completed"] == "true"
    assert response.headers["cache-control"] == "no-store"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.04)


async def test_server_timing_lists_every_feed_call(client: httpx.AsyncClient) -> None:
    assert list_timed_calls(await client.get("/feed/user-123")) == [
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
async def test_failed_optional_call_degrades_feed(
    services: InProcessServices, client: httpx.AsyncClient, path: str, field: str, kind: str
) -> None:
    await services.set_faults("social", (path, kind))
    response = await client.get("/feed/user-123")

    assert (response.status_code, response.json()) == (200, {**FEED, field: None, "degraded": [field]})
    assert response.headers["gateway-completed"] == "false"
    assert response.headers["cache-control"] == "no-store"
    assert len(list_timed_calls(response)) == 7


@pytest.mark.parametrize("path", [path for path, _ in EXTRAS])
async def test_optional_feed_call_times_out_after_500_ms(
    services: InProcessServices, client: httpx.AsyncClient, path: str
) -> None:
    await services.set_faults("social", (path, "hang"))
    await client.get("/feed/user-123")

    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.5)


async def test_feed_succeeds_without_optional_parts(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("social", *((path, "status") for path, _ in EXTRAS))
    response = await client.get("/feed/user-123")

    missing = {field: None for _, field in EXTRAS}
    assert response.json() == {**FEED, **missing, "degraded": [field for _, field in EXTRAS]}


@pytest.mark.parametrize("fault", [("hang", 504), ("status", 503), ("garbage", 502)])
@pytest.mark.parametrize(
    "required",
    [
        ("social", "/friends", "social.friends"),
        ("user", "/users/user-123/settings", "users.settings"),
        ("social", "/posts", "social.posts"),
    ],
)
async def test_failed_required_call_fails_feed(
    services: InProcessServices,
    client: httpx.AsyncClient,
    required: tuple[str, str, str],
    fault: tuple[str, int],
) -> None:
    (service, path, source), (kind, status) = required, fault
    await services.set_faults(service, (path, kind))
    response = await client.get("/feed/user-123")

    assert (response.status_code, response.json()["source"]) == (status, source)
    assert response.headers["gateway-completed"] == "false"
    assert response.headers["cache-control"] == "no-store"
    assert "GET /engagement" not in await services.fetch_calls("social")


async def test_feed_reports_both_failed_user_calls(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("user", ("/", "hang"))
    response = await client.get("/feed/user-123")

    parts = [(part["status"], part["source"]) for part in response.json()["errors"]]
    assert (response.status_code, parts) == (504, [(504, "users.fetch"), (504, "users.settings")])


async def test_feed_of_unknown_user_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/feed/nonexistent-user")

    problem = response.json()
    assert (response.status_code, problem["code"], problem["source"]) == (404, "not-found", "users.fetch")
    assert problem["detail"] == "User not found: nonexistent-user"
    assert list_timed_calls(response) == ["users.fetch", "social.friends", "users.settings"]


async def test_feed_reports_unknown_user_and_503_together(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("social", ("/friends", "status"))
    response = await client.get("/feed/nonexistent-user")

    parts = [(part["status"], part["source"]) for part in response.json()["errors"]]
    assert (response.status_code, parts) == (503, [(404, "users.fetch"), (503, "social.friends")])


async def test_feed_without_friends_fetches_no_posts(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    body = (await client.get("/feed/user-789")).json()

    assert [body[name] for name in ("friends", "posts", "notifications", "degraded")] == [[], [], [], []]
    assert body["engagement"] == {}
    assert [post["post_id"] for post in body["recommended"]] == ["post-101", "post-201", "post-401"]
    assert await services.fetch_calls("social") == ["GET /friends/{id}", "GET /recommendations"]


async def test_server_timing_omits_skipped_feed_calls(client: httpx.AsyncClient) -> None:
    response = await client.get("/feed/user-789")

    assert list_timed_calls(response) == [
        "users.fetch",
        "social.friends",
        "users.settings",
        "social.recommendations",
    ]


async def test_disabled_recommendations_are_not_fetched(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("social", ("/recommendations", "status"))
    response = await client.get("/feed/user-456")

    assert (response.json()["recommended"], response.json()["degraded"]) == ([], [])
    assert [post["language"] for post in response.json()["posts"]] == ["en"]
    assert response.headers["gateway-completed"] == "true"
    assert "GET /recommendations" not in await services.fetch_calls("social")


@pytest.mark.parametrize("user_id", ["-a", "a%20b", "a%0A", "%C3%A9", "x" * 65])
async def test_malformed_feed_user_id_is_422(
    services: InProcessServices, client: httpx.AsyncClient, user_id: str
) -> None:
    response = await client.get(f"/feed/{user_id}")

    assert response.status_code == 422
    assert [violation["field"] for violation in response.json()["violations"]] == ["user_id"]
    assert await services.fetch_calls("user") == []


async def test_head_request_for_feed_has_empty_body(client: httpx.AsyncClient) -> None:
    response = await client.head("/feed/user-123")

    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["cache-control"] == "no-store"


async def test_openapi_lists_feed_responses(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/feed/{user_id}"]["get"]["responses"]

    assert sorted(responses) == [
        "200", "400", "404", "408", "413", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    assert list(responses["200"]["content"]["application/json"]["example"]) == list(FEED)
    assert document["components"]["schemas"]["FeedResult"]["required"] == list(FEED)
