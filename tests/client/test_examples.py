"""Example values from JSON schemas."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from gateway import NO_CONTENT
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
    assert build_example(TypeAdapter(Purse)) == Purse(owner="Ada", coins=(DIME, DIME))


def test_example_of_whole_type_is_used() -> None:
    kind = TypeAdapter(Annotated[dict[str, Coin], Field(examples=[{"dime": {"worth": "0.10"}}])])

    assert build_example(kind) == {"dime": DIME}


def test_example_of_null_is_none() -> None:
    assert build_example(NO_CONTENT) is None


def test_example_of_union_is_that_of_first_type() -> None:
    assert build_example(TypeAdapter(Coin | None)) == DIME


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


def test_invalid_example_is_refused() -> None:
    class Box(BaseModel):
        model_config = example(size="big")

        size: int

    with pytest.raises(NoExampleError, match="the example of Box is invalid: size: Input should be a valid"):
        build_example(TypeAdapter(Box))


class Tree(BaseModel):
    name: str = Field(examples=["oak", "elm"])
    branches: list["Tree"]
    parent: "Tree | None"


class Chain(BaseModel):
    links: "list[Chain]" = Field(min_length=1)


Name = Annotated[str, Field(examples=["Ada", "Eve", "Max"])]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[Name], ["Ada", "Eve"]),
        (Annotated[list[Name], Field(max_length=1)], ["Ada"]),
        (Annotated[list[Name], Field(max_length=0)], []),
        (Annotated[list[Name], Field(min_length=4)], ["Ada", "Eve", "Max", "Ada"]),
        (set[Name], {"Ada", "Eve"}),
        (frozenset[Literal["a"]], {"a"}),
        (tuple[Name, Literal[3]], ("Ada", 3)),
        (list[list[Name]], [["Ada", "Eve"], ["Ada", "Eve"]]),
    ],
)
def test_list_has_two_elements_within_its_limits(kind: Any, value: object) -> None:  # noqa: ANN401 - a type
    assert build_example(TypeAdapter(kind)) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Literal["red", "green"], "red"),
        (Name | None, "Ada"),
        (int | None, None),
        (int | Name, "Ada"),
        (None, None),
    ],
)
def test_union_has_example_of_first_type_with_one(kind: Any, value: object) -> None:  # noqa: ANN401 - a type
    assert build_example(TypeAdapter(kind)) == value


def test_recursive_type_ends_with_empty_list() -> None:
    assert build_example(TypeAdapter(Tree)) == Tree(name="oak", branches=[], parent=None)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Chain, "Chain contains itself and has no example"),
        (int | float, "integer has no example"),
        (Callable[[], int], "the type has no JSON schema"),
    ],
)
def test_type_without_possible_example_is_refused(kind: Any, message: str) -> None:  # noqa: ANN401 - a type
    with pytest.raises(NoExampleError, match=message):
        build_example(TypeAdapter(kind))
