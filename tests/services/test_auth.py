"""Auth service: verification of bearer tokens."""

import httpx
import pytest

from gateway.railway import Err, Forbidden, Ok, Unauthorized
from gateway.services.auth import Auth, Session
from tests.client.scripted_service import PROBLEM, Answering, client

SESSION_RESPONSE = httpx.Response(200, json={"user_id": "user-123", "scopes": []})


async def test_auth_sends_bearer_token() -> None:
    transport = Answering(SESSION_RESPONSE)
    await Auth(client(transport)).verify("token-user-123", "user-123")
    (request,) = transport.requests

    assert request.headers["authorization"] == "Bearer token-user-123"


async def test_verify_returns_session_of_user() -> None:
    result = await Auth(client(Answering(SESSION_RESPONSE))).verify("token-user-123", "user-123")

    assert result == Ok(Session(user_id="user-123", scopes=()))


async def test_token_of_other_user_is_forbidden() -> None:
    result = await Auth(client(Answering(SESSION_RESPONSE))).verify("token-user-123", "user-456")

    assert result == Err(Forbidden("The token belongs to another user", source="auth.verify"))


async def test_expired_token_is_unauthorized() -> None:
    refused = httpx.Response(401, json={"detail": "Token expired"}, headers=PROBLEM)
    result = await Auth(client(Answering(refused))).verify("token-expired", "user-123")

    assert result == Err(Unauthorized("Token expired", source="auth.verify", scheme="Bearer"))


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "tökén", "a\0b", " ", "a\n"])
def test_invalid_token_error_hides_token(token: str) -> None:
    with pytest.raises(
        ValueError, match=r"^invalid value of header Authorization: expected visible ASCII [a-z, ]+$"
    ):
        _ = Auth(client(Answering())).verify(token, "user-123")


async def test_call_repr_and_log_hide_token(caplog: pytest.LogCaptureFixture) -> None:
    call = Auth(client(Answering(httpx.Response(500)))).verify("token-user-123", "user-123")
    await call

    assert caplog.records
    assert "token-user-123" not in f"{call!r} {caplog.text}"
