"""The user service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, NotFound, UpstreamFault

__all__ = ("User", "UserSettings", "Users")


@final
class User(UpstreamResponse):
    """Somebody who can ask for things."""

    model_config = example(user_id="user-123", email="user@example.com", is_active=True)

    user_id: str
    email: str
    is_active: bool


@final
class UserSettings(UpstreamResponse):
    """What somebody wants to see, and in which languages."""

    model_config = example(languages=["en", "de"], show_recommendations=True)

    languages: tuple[str, ...]
    show_recommendations: bool


_USER: Final = TypeAdapter(User)
_SETTINGS: Final = TypeAdapter(UserSettings)


@final
class Users:
    """Who is asking."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def fetch(self, user_id: str) -> Call[User, NotFound | UpstreamFault]:
        """Say who *user_id* is; `NotFound` if nobody is."""
        return self._client.get("users.fetch", ("users", user_id), answer=_USER, declared={404: NotFound})

    def settings(self, user_id: str) -> Call[UserSettings, UpstreamFault]:
        """Say what *user_id* wants to see; somebody unknown wants what most do."""
        return self._client.get("users.settings", ("users", user_id, "settings"), answer=_SETTINGS)
