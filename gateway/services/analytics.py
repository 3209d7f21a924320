"""Analytics service: records business events."""

from typing import final

from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import UpstreamFault, Write

__all__ = ("Analytics", "Event")


@final
class Event(UpstreamResponse):
    """A recorded event."""

    model_config = example(event_id="evt-6c4e2f88")

    event_id: str


@final
class _EventRequest(UpstreamRequest):
    event: str
    order_id: str


@final
class Analytics:
    """Client of the analytics service."""

    def __init__(self, client: ServiceClient) -> None:
        self._track = client.write.post("analytics.track", "/events", answer=Event, undo=None)

    def track(self, event: str, order_id: str) -> Write[Event, UpstreamFault]:
        """Record *event*, such as `purchase`, for an order (`POST /events`); the write has no undo."""
        return self._track(_EventRequest(event=event, order_id=order_id))
