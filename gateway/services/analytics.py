"""Analytics service: records business events."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Analytics", "Event")


@final
class Event(UpstreamResponse):
    """A recorded event."""

    model_config = example(event_id="evt-6c4e2f88")

    event_id: str


_EVENT: Final = TypeAdapter(Event)


@final
class _EventRequest(UpstreamRequest):
    event: str
    order_id: str


@final
class Analytics:
    """Client of the analytics service."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def track(self, event: str, order_id: str) -> Write[Event, UpstreamFault]:
        """Record *event*, such as `purchase`, for an order (`POST /events`); the write has no undo."""
        return self._client.write(
            "analytics.track",
            ("events",),
            _EventRequest(event=event, order_id=order_id),
            answer=_EVENT,
            undo=None,
        )
