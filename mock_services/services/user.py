"""The user service: users and their settings."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.http.response import Problem

__all__ = ["Settings", "User", "Users"]


class User(TypedDict):
    """A user."""

    user_id: str
    email: str
    is_active: bool


class Settings(TypedDict):
    """The feed settings of a user."""

    languages: Sequence[str]
    show_recommendations: bool


EMAILS: Final = {
    "user-123": "user@example.com",
    "user-high-risk": "highrisk@example.com",
    "user-456": "user456@example.com",
    "user-789": "user789@example.com",
}
DEFAULT: Final = Settings(languages=("en",), show_recommendations=True)
SETTINGS: Final = {
    "user-123": Settings(languages=("en", "de"), show_recommendations=True),
    "user-456": Settings(languages=("en",), show_recommendations=False),
}


class Users(MockService):
    """User service: users of the seed data and their settings; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /users/{id}", 50, self._fetch_user),
            Endpoint("GET /users/{id}/settings", 30, self._fetch_settings),
        )

    def _fetch_user(self, request: Request) -> User | Problem:
        user_id = request.params["id"]
        if user_id not in EMAILS:
            return Problem(HTTPStatus.NOT_FOUND, f"User not found: {user_id}")
        return User(user_id=user_id, email=EMAILS[user_id], is_active=True)

    def _fetch_settings(self, request: Request) -> Settings:
        return SETTINGS.get(request.params["id"], DEFAULT)
