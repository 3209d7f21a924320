"""Example values from JSON schemas."""

from decimal import Decimal
from typing import Annotated, Final

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gateway.client.examples import NoExampleError, build_example
from gateway.client.models import UpstreamResponse, example


class Coin(UpstreamResponse):
    model_config = example(worth="0.10")

    worth: Decimal


class Purse(UpstreamResponse):
    owner: Annotated[str, Field(examples=["Ada"])]
    size: int = 3
    coins: tuple[Coin, ...]


COIN: Final = TypeAdapter(Coin)
DIME: Final = Coin(worth=Decimal("0.10"))


def test_example_is_parsed_into_model() -> None:
    assert build_example(COIN) == DIME


def test_examples_of_fields_are_combined() -> None:
    assert build_example(TypeAdapter(Purse)) == Purse(owner="Ada", coins=(DIME,))


def test_example_of_whole_type_is_used() -> None:
    kind = TypeAdapter(Annotated[dict[str, Coin], Field(examples=[{"dime": {"worth": "0.10"}}])])

    assert build_example(kind) == {"dime": DIME}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (TypeAdapter(int), "integer has no example"),
        (TypeAdapter(list[Annotated[str, Field(title="Name")]]), "Name has"),
    ],
)
def test_missing_example_error_names_type(kind: TypeAdapter[object], message: str) -> None:
    with pytest.raises(NoExampleError, match=message):
        build_example(kind)


def test_invalid_example_raises_validation_error() -> None:
    class Invalid(BaseModel):
        model_config = example(size="big")

        size: int

    with pytest.raises(ValidationError):
        build_example(TypeAdapter(Invalid))
