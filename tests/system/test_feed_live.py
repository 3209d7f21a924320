"""GET /feed/{user_id} against real mock services, over HTTP."""

from collections.abc import Iterator

import pytest

from tests.system.stack import Stack, running


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0.1, GATEWAY_CALL_TIMEOUT_MS="400", GATEWAY_OPTIONAL_TIMEOUT_MS="1000") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    # The failures of earlier tests would open a circuit breaker without these successes.
    for _ in range(5):
        processes.client.get("/feed/user-123").raise_for_status()
    processes.reset()
    return processes


def test_feed_response_has_every_part(stack: Stack) -> None:
    answer = stack.client.get("/feed/user-123")

    body = answer.json()
    assert answer.status_code == 200
    assert [post["post_id"] for post in body["posts"]] == ["post-201", "post-202", "post-301", "post-302"]
    assert len(body["notifications"]) == 3
    assert sorted(body["engagement"]) == ["post-201", "post-202", "post-301", "post-302"]
    assert [post["language"] for post in body["recommended"]] == ["en", "de"]
    assert body["degraded"] == []
    assert answer.headers["gateway-completed"] == "true"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", ["hang", "drop", "truncate", "garbage"])
@pytest.mark.parametrize(
    ("path", "field"),
    [("/notifications", "notifications"), ("/engagement", "engagement"), ("/recommendations", "recommended")],
)
def test_feed_degrades_without_optional_part(stack: Stack, path: str, field: str, kind: str) -> None:
    stack.break_down("social", kind, path_prefix=path)

    answer = stack.client.get("/feed/user-123")

    assert (answer.status_code, answer.json()[field], answer.json()["degraded"]) == (200, None, [field])
    assert answer.headers["gateway-completed"] == "false"


@pytest.mark.parametrize(("kind", "status"), [("hang", 504), ("drop", 503), ("garbage", 502)])
def test_feed_fails_without_posts(stack: Stack, kind: str, status: int) -> None:
    stack.break_down("social", kind, path_prefix="/posts")

    answer = stack.client.get("/feed/user-123")

    assert (answer.status_code, answer.json()["source"]) == (status, "social.posts")
    assert "GET /engagement" not in stack.calls_of("social")


def test_feed_without_friends_is_complete(stack: Stack) -> None:
    """Without friends, a feed has recommendations only, and is complete."""
    answer = stack.client.get("/feed/user-789")

    assert [answer.json()[name] for name in ("posts", "notifications", "engagement")] == [[], [], {}]
    assert answer.headers["gateway-completed"] == "true"
    assert stack.calls_of("social") == ["GET /friends/{id}", "GET /recommendations"]


def test_feed_of_unknown_user_returns_404(stack: Stack) -> None:
    answer = stack.client.get("/feed/nonexistent-user")

    assert (answer.status_code, answer.json()["detail"]) == (404, "User not found: nonexistent-user")
