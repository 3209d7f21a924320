"""What a service's answer looks like, as its model says."""

from decimal import Decimal
from inspect import getmembers, isclass
from typing import Annotated, Final

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gateway import services as upstreams
from gateway.client.examples import NoExampleError, example_of
from gateway.client.models import UpstreamResponse, example
from gateway.railway import NotFound, Undo
from tests.client.scripted_service import THING, Answering, Wish, client

MODELS: Final = [
    model
    for _, model in getmembers(upstreams, isclass)
    if issubclass(model, UpstreamResponse) and model is not UpstreamResponse
]


class Coin(UpstreamResponse):
    model_config = example(worth="0.10")

    worth: Decimal


class Purse(UpstreamResponse):
    owner: Annotated[str, Field(examples=["Ada"])]
    size: int = 3
    coins: tuple[Coin, ...]


COIN: Final = TypeAdapter(Coin)
DIME: Final = Coin(worth=Decimal("0.10"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_answer_of_the_services_says_what_it_looks_like(model: type[UpstreamResponse]) -> None:
    assert isinstance(example_of(TypeAdapter(model)), model)


def test_the_example_of_a_model_is_read_as_an_answer_is() -> None:
    assert example_of(COIN) == DIME


def test_fields_may_have_examples_of_their_own_and_a_list_has_one_item() -> None:
    assert example_of(TypeAdapter(Purse)) == Purse(owner="Ada", coins=(DIME,))


def test_a_type_may_say_it_as_a_whole() -> None:
    kind = TypeAdapter(Annotated[dict[str, Coin], Field(examples=[{"dime": {"worth": "0.10"}}])])

    assert example_of(kind) == {"dime": DIME}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (TypeAdapter(int), "integer has no example"),
        (TypeAdapter(list[Annotated[str, Field(title="Name")]]), "Name has"),
    ],
)
def test_a_type_that_does_not_say_it_is_named(kind: TypeAdapter[object], message: str) -> None:
    with pytest.raises(NoExampleError, match=message):
        example_of(kind)


def test_an_example_that_is_none_is_refused() -> None:
    class Odd(BaseModel):
        model_config = example(size="big")

        size: int

    with pytest.raises(ValidationError):
        example_of(TypeAdapter(Odd))


def test_a_call_knows_an_example_of_its_answer_and_what_its_service_declares() -> None:
    info = client(Answering()).get("coins.fetch", (), answer=COIN, declared={404: NotFound}).info

    assert info is not None
    assert (info.example, info.refusals) == (DIME, (NotFound,))


def test_so_does_a_post_and_so_does_a_write() -> None:
    things, undo = client(Answering()), Undo("things.forget", client(Answering()).undo("a", ()).attempt)
    post = things.post("things.ask", ("things",), Wish(text=""), answer=COIN)
    write = things.write("things.wish", ("things",), Wish(text=""), answer=COIN, undo=undo)

    assert [made.info and made.info.example for made in (post, write)] == [DIME] * 2


def test_nobody_has_to_have_an_example_to_make_calls() -> None:
    info = client(Answering()).get("things.fetch", ("things",), answer=THING).info

    assert info is not None
    with pytest.raises(NoExampleError, match="Name has no example"):
        _ = info.example
