"""Inferred types: the error union of a call has its declared failures and upstream faults only."""

from typing import Final, assert_type

from pydantic import TypeAdapter

from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.inventory import Inventory, Reservation, Stock
from gateway.services.orders import Orders, PlacedOrder
from gateway.services.users import User, Users
from tests.client.scripted_service import THING, Answering, Thing, Wish, client

CLIENT: Final = client(Answering())
PATH: Final = ("things",)


def test_call_without_declared_failures_has_upstream_faults() -> None:
    get = assert_type(CLIENT.get("things.fetch", PATH, answer=THING), Call[Thing, UpstreamFault])
    post = assert_type(
        CLIENT.post("things.wish", PATH, Wish(text=""), answer=THING), Call[Thing, UpstreamFault]
    )

    assert (get.name, post.name) == ("things.fetch", "things.wish")


def test_declared_failures_are_in_error_union() -> None:
    one: Call[Thing, NotFound | UpstreamFault] = CLIENT.get(
        "things.fetch", PATH, answer=THING, declared={404: NotFound}
    )
    two: Call[Thing, NotFound | Conflict | UpstreamFault] = CLIENT.get(
        "things.fetch", PATH, answer=THING, declared={404: NotFound, 409: Conflict}
    )

    assert one.name == two.name


def test_failure_outside_union_is_type_error() -> None:
    get = CLIENT.get
    wrong: Call[Thing, UpstreamFault] = get("a", PATH, answer=THING, declared={404: NotFound})  # type: ignore[dict-item]

    assert wrong.name == "a"


def test_answer_may_be_any_pydantic_type() -> None:
    many = CLIENT.get("things.list", PATH, answer=TypeAdapter(list[Thing]))

    assert assert_type(many, Call[list[Thing], UpstreamFault]).name == "things.list"


def test_write_failures_are_in_error_union() -> None:
    plain = assert_type(
        CLIENT.write("things.wish", PATH, Wish(text=""), answer=THING, undo=None), Write[Thing, UpstreamFault]
    )
    one: Write[Thing, NotFound | UpstreamFault] = CLIENT.write(
        "things.wish", PATH, Wish(text=""), answer=THING, undo=None, declared={404: NotFound}
    )

    assert plain.name == one.name


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
