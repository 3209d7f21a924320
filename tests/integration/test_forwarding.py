"""Limits of forwarded headers and data: a caller cannot make services fail for others."""

from collections.abc import Mapping
from typing import Final

import httpx
import pytest
from typing_extensions import override

from tests.integration.in_process import InProcessServices, run_gateway
from tests.integration.test_resilience_policies import PURCHASE, TOKEN, check_out

LONGEST_HEAD: Final = 8192
MOST_OCTETS: Final = 8000
PARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RESET: Final = httpx.ReadError("connection reset")
STRANGE: Final = "<script>"


class CautiousServices(InProcessServices):
    """Services that close the connection of a request with a long head, a long line or a strange id."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        line = len(f"{request.method} {request.url.raw_path.decode()} HTTP/1.1\r\n")
        head = line + sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
        self.lines.append(line)
        if head > LONGEST_HEAD or line > MOST_OCTETS or request.headers.get("x-request-id") == STRANGE:
            raise RESET
        return await super().handle_async_request(request)


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": PARENT, "tracestate": "a=" + "b" * 30_000},
        {"traceparent": PARENT, "tracestate": "a=" + "b" * 9000},
        {"traceparent": "01" + PARENT[2:] + "-" + "b" * 30_000},
    ],
)
async def test_long_trace_headers_do_not_reach_services(headers: Mapping[str, str]) -> None:
    async with run_gateway(CautiousServices()) as client:
        responses = await check_out(client, 50, {**headers})

    assert {response.status_code for response in responses} == {200}


@pytest.mark.parametrize(("length", "status"), [(30_000, 401), (8193, 401), (8192, 503), (5000, 401)])
async def test_long_tokens_leave_purchases_of_others_alone(length: int, status: int) -> None:
    """A token of 8 KiB makes the head too long for the service; shorter ones are refused by it."""
    async with run_gateway(CautiousServices()) as client:
        token = {"Authorization": f"Bearer {'a' * length}"}
        refused = [await client.post("/purchases", json=PURCHASE, headers=token) for _ in range(30)]
        others = [await client.post("/purchases", json=PURCHASE, headers=TOKEN) for _ in range(4)]

    assert {response.status_code for response in refused} == {status}
    assert {other.status_code for other in others} == {201}


async def test_strange_request_ids_leave_checkouts_of_others_alone() -> None:
    async with run_gateway(CautiousServices()) as client:
        strange = await check_out(client, 50, {"X-Request-Id": STRANGE})
        others = await check_out(client, 20)

    assert {response.status_code for response in strange} == {503}
    assert {other.status_code for other in others} == {200}


@pytest.mark.parametrize("friends", [600, 4000, 6000, 20_000])
async def test_feed_of_user_with_many_friends_is_complete(friends: int) -> None:
    services = CautiousServices()
    ids = ["user-456", *(f"user-{number:06}" for number in range(friends)), "user-789"]
    services.set_response("social", "/friends/user-123", [{"user_id": user_id} for user_id in ids])
    async with run_gateway(services) as client:
        feed = await client.get("/feed/user-123")

    body = feed.json()
    assert (feed.status_code, body["degraded"]) == (200, [])
    assert [post["post_id"] for post in body["posts"]] == ["post-201", "post-202", "post-301", "post-302"]
    assert len(body["notifications"]) == 3
    assert max(services.lines) <= MOST_OCTETS


async def test_feed_with_many_posts_has_their_engagement() -> None:
    services = CautiousServices()
    post = {"author_id": "user-456", "language": "en", "text": "a"}
    posts = [{"post_id": f"post-{number:030}", **post} for number in range(1000)]
    services.set_response("social", "/posts?author=user-456&author=user-789&language=en&language=de", posts)
    async with run_gateway(services) as client:
        feed = await client.get("/feed/user-123")

    assert (feed.status_code, feed.json()["degraded"]) == (200, [])
    assert len(feed.json()["posts"]) == 1000


@pytest.mark.parametrize("languages", [700, 60])
async def test_many_languages_make_few_requests(languages: int) -> None:
    services = CautiousServices()
    codes = ["en", *(f"l{number:09}" for number in range(languages))]
    friends = [{"user_id": f"user-{number}"} for number in range(3000)]
    services.set_response("social", "/friends/user-123", friends)
    services.set_response(
        "user", "/users/user-123/settings", {"languages": codes, "show_recommendations": True}
    )
    async with run_gateway(services) as client:
        feed = await client.get("/feed/user-123")

    assert feed.status_code == 200
    assert len(feed.json()["friends"]) == 3000
    assert len(services.lines) < 40
    assert max(services.lines) <= MOST_OCTETS


async def test_friend_with_endless_id_leaves_feeds_of_others_alone() -> None:
    """No request line can have the id, so that the feed fails; that counts against nothing."""
    services = CautiousServices()
    services.set_response("social", "/friends/user-123", [{"user_id": "a" * 9000}])
    async with run_gateway(services) as client:
        feeds = [await client.get("/feed/user-123") for _ in range(30)]
        other = await client.get("/feed/user-456")
        (check,) = (await client.get("/health/ready")).json()["checks"]["social"]

    problem = feeds[-1].json()
    assert {feed.status_code for feed in feeds} == {503}
    assert problem["source"] == "social.posts"
    assert problem["detail"] == "The request to the social service would be too long or invalid"
    assert other.status_code == 200
    assert check["status"] == "pass"
