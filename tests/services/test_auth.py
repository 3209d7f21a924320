"""Whose token it is, and who is shown it."""

import httpx
import pytest

from gateway.railway import Err, Forbidden, Ok, Unauthorized
from gateway.services.auth import Auth, Session
from tests.client.scripted_service import PROBLEM, Answering, client

ADAS = httpx.Response(200, json={"user_id": "user-123", "scopes": []})


async def test_a_token_is_shown_to_the_service_as_a_bearer_token() -> None:
    transport = Answering(ADAS)
    await Auth(client(transport)).verify("token-user-123", "user-123")
    (request,) = transport.requests

    assert request.headers["authorization"] == "Bearer token-user-123"


async def test_the_session_of_the_users_own_token_is_given() -> None:
    result = await Auth(client(Answering(ADAS))).verify("token-user-123", "user-123")

    assert result == Ok(Session(user_id="user-123", scopes=()))


async def test_the_token_of_somebody_else_is_forbidden() -> None:
    result = await Auth(client(Answering(ADAS))).verify("token-user-123", "user-456")

    assert result == Err(Forbidden("The token belongs to another user", source="auth.verify"))


async def test_a_token_that_is_good_for_nothing_is_unauthorized() -> None:
    refused = httpx.Response(401, json={"detail": "Token expired"}, headers=PROBLEM)
    result = await Auth(client(Answering(refused))).verify("token-expired", "user-123")

    assert result == Err(Unauthorized("Token expired", source="auth.verify", scheme="Bearer"))


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "tökén", "a\0b", " ", "a\n"])
def test_a_token_that_cannot_be_sent_is_refused_at_once_and_not_shown(token: str) -> None:
    with pytest.raises(ValueError, match=r"^this value cannot be sent as Authorization$"):
        _ = Auth(client(Answering())).verify(token, "user-123")


async def test_a_token_is_not_shown_by_its_call_nor_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    call = Auth(client(Answering(httpx.Response(500)))).verify("token-user-123", "user-123")
    await call

    assert caplog.records
    assert "token-user-123" not in f"{call!r} {caplog.text}"
