"""Notification service: sends messages to users."""

from typing import final

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Notice", "Notifications")


@final
class Notice(UpstreamResponse):
    """A message that the service has accepted and will send."""

    model_config = example(notification_id="ntf-3b9a5d10")

    notification_id: str


@final
class _NoticeRequest(UpstreamRequest):
    user_id: str
    order_id: str


@final
class Notifications:
    """Client of the notification service."""

    def __init__(self, client: ServiceClient) -> None:
        self._send = client.write.post("notifications.send", "/notifications", answer=Notice, undo=None)

    def send(self, user_id: str, order_id: str) -> Write[Notice, UpstreamFault]:
        """Notify a user of an order (`POST /notifications`); the write has no undo."""
        return self._send(_NoticeRequest(user_id=user_id, order_id=order_id))
