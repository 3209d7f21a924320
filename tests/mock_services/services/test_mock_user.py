import httpx
import pytest

from tests.mock_services.in_process_client import create_client


@pytest.fixture
def users() -> httpx.AsyncClient:
    return create_client("user")


@pytest.mark.parametrize(
    ("user_id", "email"),
    [
        ("user-123", "user@example.com"),
        ("user-high-risk", "highrisk@example.com"),
        ("user-456", "user456@example.com"),
        ("user-789", "user789@example.com"),
    ],
)
async def test_fetch_returns_seeded_user(users: httpx.AsyncClient, user_id: str, email: str) -> None:
    answer = await users.get(f"/users/{user_id}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"user_id": user_id, "email": email, "is_active": True}


async def test_unknown_user_is_not_found(users: httpx.AsyncClient) -> None:
    answer = await users.get("/users/nonexistent-user")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "User not found: nonexistent-user",
    }


@pytest.mark.parametrize(
    ("user_id", "languages", "show_recommendations"),
    [
        ("user-123", ["en", "de"], True),
        ("user-456", ["en"], False),
        ("user-789", ["en"], True),
        ("nonexistent-user", ["en"], True),
    ],
)
async def test_every_user_id_has_settings(
    users: httpx.AsyncClient, user_id: str, languages: list[str], *, show_recommendations: bool
) -> None:
    answer = await users.get(f"/users/{user_id}/settings")

    assert answer.json() == {"languages": languages, "show_recommendations": show_recommendations}
