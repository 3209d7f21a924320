"""The notification service: what users have been told of their orders."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypedDict

from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Id, Strict
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.requests import Request

__all__ = ["Acceptance", "Notification", "NotificationRequest", "Notifications"]


class NotificationRequest(Strict):
    """Whom to tell of which order."""

    user_id: Id
    order_id: Id


class Acceptance(TypedDict):
    """A notification that will be sent."""

    notification_id: str


class Notification(Acceptance):
    """All that is known of a notification."""

    user_id: str
    order_id: str


class Notifications(Domain):
    """Takes every notification; what has been said cannot be taken back."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._notifications: dict[str, Notification] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /notifications", 20, self._notify, HTTPStatus.ACCEPTED, writes=True),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"notifications": keyed(self._notifications)}

    def _notify(self, request: Request) -> Body | Problem:
        return self._writes.write(request, NotificationRequest, self._accept)

    def _accept(self, key: str, wanted: NotificationRequest) -> Acceptance:
        acceptance = Acceptance(notification_id=id_of("ntf", key))
        self._notifications[key] = Notification(
            **acceptance, user_id=wanted.user_id, order_id=wanted.order_id
        )
        return acceptance
