import httpx
import pytest

from tests.mock_services.in_process_client import create_client


@pytest.fixture
def auth() -> httpx.AsyncClient:
    return create_client("auth")


@pytest.mark.parametrize(
    ("authorization", "user_id"),
    [
        ("Bearer token-user-123", "user-123"),
        ("Bearer token-user-456", "user-456"),
        ("bearer token-user-123", "user-123"),
    ],
)
async def test_seeded_token_returns_session(
    auth: httpx.AsyncClient, authorization: str, user_id: str
) -> None:
    answer = await auth.get("/sessions", headers={"Authorization": authorization})

    assert answer.status_code == 200
    assert answer.json() == {"user_id": user_id, "scopes": ["orders:write"]}


@pytest.mark.parametrize(
    ("authorization", "detail"),
    [
        ("Bearer token-expired", "Token expired"),
        ("Bearer token-user-789", "Invalid token"),
        ("Bearer TOKEN-USER-123", "Invalid token"),
    ],
)
async def test_rejected_token_gets_challenge_with_error(
    auth: httpx.AsyncClient, authorization: str, detail: str
) -> None:
    answer = await auth.get("/sessions", headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer token user 123")],
        [("Authorization", "Basic token-user-123")],
        [("Authorization", "token-user-123")],
        [("Authorization", "Bearer token-user-123"), ("Authorization", "Bearer token-user-456")],
    ],
)
async def test_missing_or_malformed_token_gets_plain_challenge(
    auth: httpx.AsyncClient, headers: list[tuple[str, str]]
) -> None:
    answer = await auth.get("/sessions", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] == "Invalid token"
