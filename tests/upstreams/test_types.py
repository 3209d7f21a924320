"""What the checkers infer: the union of errors of a call is what it declares and no more."""

from typing import Final, assert_type

from pydantic import TypeAdapter

from gateway.railway import Call, Conflict, NotFound, UpstreamFault
from gateway.upstreams import Inventory, Stock, User, Users
from tests.upstreams.world import THING, Answering, Thing, Wish, client

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


def test_services_say_what_they_give() -> None:
    user = assert_type(Users(CLIENT).fetch("a"), Call[User, NotFound | UpstreamFault])
    stock = assert_type(Inventory(CLIENT).check("a"), Call[Stock, NotFound | Conflict | UpstreamFault])

    assert (user.name, stock.name) == ("users.fetch", "inventory.check")
