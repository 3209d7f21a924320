"""What the checkers infer: the union of errors of a call is what it declares and no more."""

from typing import Final, assert_type

from pydantic import TypeAdapter

from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write
from gateway.services.inventory import Inventory, Reservation, Stock
from gateway.services.orders import Order, Orders
from gateway.services.users import User, Users
from tests.client.scripted_service import THING, Answering, Thing, Wish, client

CLIENT: Final = client(Answering())
PATH: Final = ("things",)


def test_a_call_without_declared_statuses_has_the_faults_of_every_call() -> None:
    get = assert_type(CLIENT.get("things.fetch", PATH, answer=THING), Call[Thing, UpstreamFault])
    post = assert_type(
        CLIENT.post("things.wish", PATH, Wish(text=""), answer=THING), Call[Thing, UpstreamFault]
    )

    assert (get.name, post.name) == ("things.fetch", "things.wish")


def test_what_a_call_declares_is_in_its_union() -> None:
    one: Call[Thing, NotFound | UpstreamFault] = CLIENT.get(
        "things.fetch", PATH, answer=THING, declared={404: NotFound}
    )
    two: Call[Thing, NotFound | Conflict | UpstreamFault] = CLIENT.get(
        "things.fetch", PATH, answer=THING, declared={404: NotFound, 409: Conflict}
    )

    assert one.name == two.name


def test_what_a_signature_does_not_promise_cannot_be_declared() -> None:
    get = CLIENT.get
    wrong: Call[Thing, UpstreamFault] = get("a", PATH, answer=THING, declared={404: NotFound})  # type: ignore[dict-item]

    assert wrong.name == "a"


def test_an_answer_may_be_of_any_type_that_pydantic_knows() -> None:
    many = CLIENT.get("things.list", PATH, answer=TypeAdapter(list[Thing]))

    assert assert_type(many, Call[list[Thing], UpstreamFault]).name == "things.list"


def test_a_write_is_a_type_of_its_own_with_the_union_of_what_it_declares() -> None:
    plain = assert_type(
        CLIENT.write("things.wish", PATH, Wish(text=""), answer=THING, undo=None), Write[Thing, UpstreamFault]
    )
    one: Write[Thing, NotFound | UpstreamFault] = CLIENT.write(
        "things.wish", PATH, Wish(text=""), answer=THING, undo=None, declared={404: NotFound}
    )

    assert plain.name == one.name


def test_services_say_what_they_give() -> None:
    user = assert_type(Users(CLIENT).fetch("a"), Call[User, NotFound | UpstreamFault])
    stock = assert_type(Inventory(CLIENT).check("a"), Call[Stock, NotFound | Conflict | UpstreamFault])

    assert (user.name, stock.name) == ("users.fetch", "inventory.check")


def test_services_say_what_they_write() -> None:
    reservation = assert_type(
        Inventory(CLIENT).reserve("a", 1), Write[Reservation, NotFound | Conflict | UpstreamFault]
    )
    order = assert_type(Orders(CLIENT).create("a", "b", 1), Write[Order, UpstreamFault])

    assert (reservation.name, order.name) == ("inventory.reserve", "orders.create")
