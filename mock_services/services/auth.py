"""The auth service: verification of bearer tokens."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.http.response import Problem

__all__ = ["Auth", "Session"]


class Session(TypedDict):
    """The user and the scopes of a token."""

    user_id: str
    scopes: Sequence[str]


SESSIONS: Final = {
    "token-user-123": Session(user_id="user-123", scopes=("orders:write",)),
    "token-user-456": Session(user_id="user-456", scopes=("orders:write",)),
}
EXPIRED: Final = frozenset({"token-expired"})

_CREDENTIALS: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_CHALLENGE: Final = b"Bearer"
_CHALLENGE_AFTER_TOKEN: Final = b'Bearer error="invalid_token"'
"""RFC 6750, 3.1: an error code is only included if the request has a token."""


class Auth(MockService):
    """Auth service: returns the session of a token in the seed data; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("GET /sessions", 30, self._verify),)

    def _verify(self, request: Request) -> Session | Problem:
        credentials = _CREDENTIALS.fullmatch(request.header(b"authorization") or "")
        if credentials is None:
            return _unauthorized("Invalid token", _CHALLENGE)
        if credentials[1] in EXPIRED:
            return _unauthorized("Token expired", _CHALLENGE_AFTER_TOKEN)
        return SESSIONS.get(credentials[1]) or _unauthorized("Invalid token", _CHALLENGE_AFTER_TOKEN)


def _unauthorized(detail: str, challenge: bytes) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, detail, ((b"www-authenticate", challenge),))
