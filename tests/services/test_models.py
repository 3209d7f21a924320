"""Inferred types: the error union of a call has its declared failures and upstream faults only."""

from typing import Final, assert_type

from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.inventory import Inventory, Reservation, Stock
from gateway.services.orders import Orders, PlacedOrder
from gateway.services.users import User, Users
from tests.client.scripted_service import Answering, client

CLIENT: Final = client(Answering())


def test_service_reads_are_typed() -> None:
    user = assert_type(Users(CLIENT).fetch("a"), Call[User, NotFound | UpstreamFault])
    stock = assert_type(Inventory(CLIENT).check("a"), Call[Stock, NotFound | Conflict | UpstreamFault])

    assert (user.name, stock.name) == ("users.fetch", "inventory.check")


def test_service_writes_are_typed() -> None:
    reservation = assert_type(
        Inventory(client(Answering())).reserve("a", 1),
        Write[Reservation, NotFound | Conflict | UpstreamFault],
    )
    order = assert_type(Orders(CLIENT).create("a", "b", 1), Write[PlacedOrder, UpstreamFault])

    assert (reservation.name, order.name) == ("inventory.reserve", "orders.create")
