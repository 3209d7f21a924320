"""The analytics service: what has happened, for whoever counts it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, TypedDict

from pydantic import Field
from typing_extensions import override

from mock_services.answers import Body, Problem
from mock_services.endpoints import Domain, Endpoint
from mock_services.fields import Id, Strict
from mock_services.ids import id_of
from mock_services.keyed import KeyedWrites, keyed
from mock_services.requests import Request

__all__ = ["Acceptance", "Analytics", "Event", "EventRequest"]


class EventRequest(Strict):
    """What has happened to which order."""

    event: Annotated[str, Field(min_length=1, max_length=100)]
    order_id: Id


class Acceptance(TypedDict):
    """An event that will be counted."""

    event_id: str


class Event(Acceptance):
    """All that is known of an event."""

    event: str
    order_id: str


class Analytics(Domain):
    """Takes every event; what has happened cannot be taken back."""

    def __init__(self) -> None:
        self._writes = KeyedWrites()
        self._events: dict[str, Event] = {}

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (Endpoint("POST /events", 20, self._track, HTTPStatus.ACCEPTED, writes=True),)

    @override
    def state(self) -> Mapping[str, object]:
        return {"events": keyed(self._events)}

    def _track(self, request: Request) -> Body | Problem:
        return self._writes.write(request, EventRequest, self._accept)

    def _accept(self, key: str, wanted: EventRequest) -> Acceptance:
        acceptance = Acceptance(event_id=id_of("evt", key))
        self._events[key] = Event(**acceptance, event=wanted.event, order_id=wanted.order_id)
        return acceptance
