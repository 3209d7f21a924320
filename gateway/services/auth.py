"""Auth service: verifies bearer tokens (RFC 6750)."""

from typing import final

from gateway.client.answers.leniency import OrNone
from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Forbidden, Unauthorized, UpstreamFault

__all__ = ("Auth", "Session")


@final
class Session(UpstreamResponse):
    """The session of a bearer token: its user, and the *scopes* that it grants, which are not read."""

    model_config = example(user_id="user-123", scopes=["purchases"])

    user_id: str
    scopes: OrNone[tuple[str, ...]]


@final
class Auth:
    """Client of the auth service."""

    def __init__(self, client: ServiceClient) -> None:
        self._verify = client.get("auth.verify", "/sessions", answer=Session, declared={401: Unauthorized})

    def verify(self, token: str, user_id: str) -> Call[Session, Unauthorized | Forbidden | UpstreamFault]:
        """Fetch the session of a bearer token (`GET /sessions`), and check that it belongs to *user_id*.

        `Unauthorized` if the token is invalid or has expired; `Forbidden` if it belongs to another user.
        Raise `ValueError` if the token cannot be sent in a header.
        """
        call = self._verify(headers={"Authorization": f"Bearer {token}"})
        return call.ensure(lambda session: session.user_id == user_id, _refuse_foreign_token)


def _refuse_foreign_token(_: Session) -> Forbidden:
    return Forbidden("The token belongs to another user", source="auth.verify")
