"""The auth service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Forbidden, Unauthorized, UpstreamFault

__all__ = ("Auth", "Session")


@final
class Session(UpstreamResponse):
    """Whose token it is, and what it is good for."""

    model_config = example(user_id="user-123", scopes=["purchases"])

    user_id: str
    scopes: tuple[str, ...]


_SESSION: Final = TypeAdapter(Session)


@final
class Auth:
    """Who somebody can show to be."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def verify(self, token: str, user_id: str) -> Call[Session, Unauthorized | Forbidden | UpstreamFault]:
        """Give the session of the bearer *token* (RFC 6750), which nobody but this service is shown.

        `Unauthorized` if the token is good for nothing, `Forbidden` if it is not *user_id*'s own. One that
        cannot be sent in a header is a `ValueError`.
        """
        asked: Call[Session, Unauthorized | Forbidden | UpstreamFault] = self._client.get(
            "auth.verify",
            ("sessions",),
            headers={"Authorization": f"Bearer {token}"},
            answer=_SESSION,
            declared={401: Unauthorized},
        )
        return asked.ensure(lambda session: session.user_id == user_id, _of_somebody_else)


def _of_somebody_else(_: Session) -> Forbidden:
    return Forbidden("The token belongs to another user", source="auth.verify")
