"""User service: users and their settings."""

from typing import final

from gateway.client.answers.leniency import Text
from gateway.client.models import UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, NotFound, UpstreamFault

__all__ = ("User", "UserSettings", "Users")


@final
class User(UpstreamResponse):
    """A user."""

    model_config = example(user_id="user-123", email="user@example.com", is_active=True)

    user_id: str
    email: Text
    is_active: bool


@final
class UserSettings(UpstreamResponse):
    """The settings of a user's feed. *languages* are codes, such as `en`; an empty list means no posts."""

    model_config = example(languages=["en", "de"], show_recommendations=True)

    languages: tuple[str, ...]
    show_recommendations: bool


@final
class Users:
    """Client of the user service."""

    def __init__(self, client: ServiceClient) -> None:
        self._fetch = client.get("users.fetch", "/users/{user_id}", answer=User, declared={404: NotFound})
        self._settings = client.get("users.settings", "/users/{user_id}/settings", answer=UserSettings)

    def fetch(self, user_id: str) -> Call[User, NotFound | UpstreamFault]:
        """Fetch a user (`GET /users/{user_id}`); `NotFound` if the user does not exist."""
        return self._fetch(user_id=user_id, fits=lambda user: user.user_id == user_id)

    def settings(self, user_id: str) -> Call[UserSettings, UpstreamFault]:
        """Fetch the settings of a user (`GET /users/{user_id}/settings`).

        A user that does not exist has default settings.
        """
        return self._settings(user_id=user_id)
