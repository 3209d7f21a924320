"""The notification service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Notice", "Notifications")


@final
class Notice(UpstreamResponse):
    """A message that will be sent."""

    model_config = example(notification_id="ntf-3b9a5d10")

    notification_id: str


_NOTICE: Final = TypeAdapter(Notice)


@final
class _Told(UpstreamRequest):
    user_id: str
    order_id: str


@final
class Notifications:
    """What users are told."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def send(self, user_id: str, order_id: str) -> Write[Notice, UpstreamFault]:
        """Tell *user_id* of the order *order_id*; what has been said cannot be undone."""
        return self._client.write(
            "notifications.send",
            ("notifications",),
            _Told(user_id=user_id, order_id=order_id),
            answer=_NOTICE,
            undo=None,
        )
