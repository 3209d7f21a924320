"""The analytics service: events of orders."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.idempotency import IdempotentWrites, with_keys
from mock_services.http.request import Request
from mock_services.http.response import Body, Problem
from mock_services.values.fields import Id, RequestModel
from mock_services.values.ids import make_id

__all__ = ["Acceptance", "Analytics", "Event", "EventRequest"]


class EventRequest(RequestModel):
    """An event about an order."""

    event: Annotated[str, Field(min_length=1, max_length=100)]
    order_id: Id


class Acceptance(TypedDict):
    """The response to an accepted event."""

    event_id: str


class Event(Acceptance):
    """The record of an event."""

    event: str
    order_id: str


class Analytics(MockService):
    """Analytics service: records events, which cannot be undone."""

    def __init__(self) -> None:
        self._writes = IdempotentWrites()
        self._events: dict[str, Event] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /events", 20, self._track, HTTPStatus.ACCEPTED, is_write=True),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"events": with_keys(self._events)}

    def _track(self, request: Request) -> Body | Problem:
        return self._writes.write(request, EventRequest, self._accept)

    def _accept(self, key: str, body: EventRequest) -> Acceptance:
        acceptance = Acceptance(event_id=make_id("evt", key))
        self._events[key] = Event(**acceptance, event=body.event, order_id=body.order_id)
        return acceptance
