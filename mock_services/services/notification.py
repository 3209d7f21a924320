"""The notification service: notifications to users about their orders."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.values.fields import Id, RequestModel
from mock_services.values.ids import make_id

__all__ = ["Acceptance", "Notification", "NotificationRequest", "Notifications"]


class NotificationRequest(RequestModel):
    """A notification to be sent."""

    user_id: Id
    order_id: Id


class Acceptance(TypedDict):
    """The response to an accepted notification."""

    notification_id: str


class Notification(Acceptance):
    """The record of a notification."""

    user_id: str
    order_id: str


class Notifications(MockService):
    """Notification service: records notifications, which cannot be undone."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._notifications: dict[str, Notification] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /notifications", 20, self._notify, HTTPStatus.ACCEPTED, is_write=True),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"notifications": with_keys(self._notifications)}

    def _notify(self, request: Request) -> Body | Problem:
        return self._writes.write(request, NotificationRequest, self._accept)

    def _accept(self, key: str, body: NotificationRequest) -> Acceptance:
        acceptance = Acceptance(notification_id=make_id("ntf", key))
        self._notifications[key] = Notification(**acceptance, user_id=body.user_id, order_id=body.order_id)
        return acceptance
