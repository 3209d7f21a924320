"""Pipelines of the courier's gateway."""

from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from examples.courier.services.geocoder import Geocoder, Place
from examples.courier.services.payments import CardDeclined, Payments
from examples.courier.services.tickets import Tickets
from gateway import Id, RequestBody, ResponseBody, null_fields
from gateway.railway import (
    Aggregate,
    Conflict,
    Invalid,
    Missing,
    NotFound,
    Run,
    Stuck,
    UpstreamFault,
    railway,
)

__all__ = ("assignments", "deliveries", "overview", "tours")

LookUpError: TypeAlias = NotFound | UpstreamFault | Aggregate
DeliveryError: TypeAlias = LookUpError | CardDeclined | Conflict | Invalid | Stuck

Address: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=200, examples=["Brandenburg Gate, Berlin"])
]
TicketId: TypeAlias = Annotated[int, Field(ge=1, examples=[1001])]
ChargeId: TypeAlias = Annotated[Id, Field(examples=["ch_8d2f1c7a"])]

COURIER: Final = "courier-7"
"""The courier on duty."""
BASE_CENTS: Final = 500
CENTS_PER_KILOMETRE: Final = 120
EARTH_RADIUS_KM: Final = 6371


class TourRequest(RequestBody):
    """The stops of a tour, in order."""

    stops: Annotated[list[Address], Field(min_length=2, max_length=25)]


class Tour(ResponseBody):
    """The stops of a tour, as the geocoder names them, and its length as the crow flies."""

    stops: list[str]
    kilometres: float


class DeliveryRequest(RequestBody):
    """A delivery, paid by *customer*."""

    customer: Id = Field(examples=["cus_ada"])
    sender: Address
    receiver: Address


class Delivery(ResponseBody):
    """A delivery that was paid, with its ticket at the help desk; *courier* is null if none was assigned."""

    ticket_id: int
    charge_id: str
    cents: int
    courier: str | None
    degraded: tuple[str, ...] = Field(default_factory=null_fields)


class Overview(ResponseBody):
    """The state of a delivery; *latitude* is null if the geocoder could not find the address."""

    status: str
    cents: int
    is_refunded: bool
    address: str
    latitude: float | None
    degraded: tuple[str, ...] = Field(default_factory=null_fields)


@railway
async def tours(run: Run[LookUpError], tour: TourRequest, geocoder: Geocoder) -> Tour:
    """Find all stops of a tour and its length.

    An unknown address is a 404 with the position of its stop; several are a 207.
    """
    places = await run.each("stops", map(geocoder.find, tour.stops), at_once=5)
    return Tour(stops=[place.display_name for place in places], kilometres=measure(*places))


@railway
async def deliveries(
    run: Run[DeliveryError], wanted: DeliveryRequest, geocoder: Geocoder, payments: Payments, tickets: Tickets
) -> Delivery:
    """Charge a customer for a delivery, and open a ticket for it.

    If the ticket cannot be opened, the charge is refunded. A courier is assigned if possible.
    """
    sender, receiver = await run.stage(
        "addresses", geocoder.find(wanted.sender), geocoder.find(wanted.receiver)
    )
    cents = BASE_CENTS + round(measure(sender, receiver) * CENTS_PER_KILOMETRE)
    charge, ticket = await run.commit(
        "booking",
        payments.charge(wanted.customer, cents),
        tickets.create(f"Delivery from {sender.display_name}", receiver.display_name),
    )
    (assigned,) = await run.stage("dispatch", tickets.assign(ticket.id, COURIER).optional())
    return Delivery(
        ticket_id=ticket.id,
        charge_id=charge.id,
        cents=charge.amount,
        courier=None if isinstance(assigned, Missing) else COURIER,
    )


@railway
async def overview(
    run: Run[LookUpError],
    ticket_id: TicketId,
    charge_id: ChargeId,
    tickets: Tickets,
    payments: Payments,
    geocoder: Geocoder,
) -> Overview:
    """Return the state of a delivery, from its ticket and its charge."""
    ticket, charge = await run.stage("records", tickets.fetch(ticket_id), payments.fetch(charge_id))
    (place,) = await run.stage("place", geocoder.find(ticket.address).optional())
    return Overview(
        status=ticket.status,
        cents=charge.amount,
        is_refunded=charge.refunded,
        address=ticket.address,
        latitude=None if isinstance(place, Missing) else place.lat,
    )


@railway
async def assignments(
    run: Run[NotFound | Conflict | UpstreamFault], ticket_id: TicketId, tickets: Tickets
) -> None:
    """Assign the courier on duty to a ticket; a closed ticket is a 409."""
    run.unwrap(await tickets.assign(ticket_id, COURIER))


def measure(*places: Place) -> float:
    """Return the length of the way along *places* in kilometres, to one decimal."""
    return round(sum(measure_leg(start, end) for start, end in pairwise(places)), 1)


def measure_leg(start: Place, end: Place) -> float:
    """Return the distance between two places in kilometres, on a sphere (haversine formula)."""
    lat1, lon1, lat2, lon2 = map(radians, (start.lat, start.lon, end.lat, end.lon))
    half_chord = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half_chord))
