"""Validation errors of pydantic as violations in plain sentences."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from gateway.api.pipeline_route.models import Pattern
from gateway.api.problems.violations import MAX_VIOLATIONS, build_invalid
from gateway.railway import Violations


class Colour(Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


class Box(BaseModel):
    """A model."""


@dataclass
class Bag:
    """A dataclass."""


def raise_value_error(_: str) -> str:
    msg = "must not be blank"
    raise ValueError(msg)


def raise_assertion_error(_: str) -> str:
    msg = "must be empty"
    raise AssertionError(msg)


def raise_custom_error(_: str) -> str:
    kind, msg = "own", "must be nice"
    raise PydanticCustomError(kind, msg)


def validate(kind: type, json: str, *, skip: int = 0) -> Violations:
    try:
        TypeAdapter[Any](kind).validate_json(json, strict=True)
    except ValidationError as error:
        return build_invalid(error.errors(), skip=skip).violations
    raise AssertionError


@pytest.mark.parametrize(
    ("kind", "json", "sentence"),
    [
        (str, "1", "must be a string"),
        (int, '"1"', "must be a whole number"),
        (int, "1.5", "must be a whole number"),
        (float, '"1"', "must be a number"),
        (bool, "1", "must be true or false"),
        (None, "1", "must be null"),
        (list[int], "{}", "must be a list"),
        (dict[str, int], "[]", "must be an object"),
        (Box, "[]", "must be an object"),
        (Bag, "[]", "must be an object"),
        (Literal["a", "b"], '"c"', "must be 'a' or 'b'"),
        (Colour, '"green"', "must be 'red' or 'blue'"),
        (Annotated[int, Field(gt=1)], "1", "must be more than 1"),
        (Annotated[int, Field(ge=1)], "0", "must be at least 1"),
        (Annotated[int, Field(lt=1)], "1", "must be less than 1"),
        (Annotated[int, Field(le=1)], "2", "must be at most 1"),
        (Annotated[int, Field(multiple_of=2)], "3", "must be a multiple of 2"),
        (Annotated[float, Field(allow_inf_nan=False)], "1e999", "must be a number"),
        (Annotated[str, Field(min_length=1)], '""', "must not be empty"),
        (Annotated[str, Field(min_length=2)], '""', "must have at least 2 characters"),
        (Annotated[str, Field(max_length=1)], '"ab"', "must have at most 1 character"),
        (Annotated[list[int], Field(min_length=1)], "[]", "must have at least 1 element"),
        (Annotated[list[int], Field(max_length=2)], "[1, 2, 3]", "must have at most 2 elements"),
        (Annotated[str, Field(pattern="^a$")], '"b"', "must match ^a$"),
        (
            Annotated[str, Pattern("^[A-Z]{3}$", "must be a currency")],
            '"usd"',
            "must be a currency",
        ),
        (Annotated[str, Pattern("^[A-Z]{3}$", "must be a currency")], "1", "must be a string"),
        (Annotated[str, AfterValidator(raise_value_error)], '""', "must not be blank"),
        (Annotated[str, AfterValidator(raise_assertion_error)], '"a"', "must be empty"),
        (Annotated[str, AfterValidator(raise_custom_error)], '"a"', "must be nice"),
        (bytes, "1", "must be a valid bytes"),
    ],
)
def test_violation_is_a_sentence(kind: type, json: str, sentence: str) -> None:
    ((field, (message,)),) = validate(kind, json)

    assert field == ""
    assert message == sentence


@pytest.mark.parametrize(
    ("json", "sentence"), [('"x"', "must be a whole number"), ("1.5", "must be a whole number")]
)
def test_violation_of_unparsable_number_is_a_sentence(json: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(int).validate_json(json)

    assert build_invalid(refused.value.errors()).violations == (("", (sentence,)),)


def test_messages_of_one_field_are_merged() -> None:
    """The messages have no duplicates, and take the position of the field's first error."""
    errors = [
        {"type": kind, "loc": loc, "msg": ""}
        for kind, loc in [
            ("int_type", ("a", 0)),
            ("missing", ("b",)),
            ("bool_type", ("a", 0)),
            ("int_type", ("a", 0)),
        ]
    ]

    assert build_invalid(errors).violations == (
        ("a.0", ("must be a whole number", "must be true or false")),
        ("b", ("is required",)),
    )


def test_violation_path_prefix_can_be_skipped() -> None:
    assert validate(dict[str, dict[str, int]], '{"body": {"a": "x"}}', skip=1) == (
        ("a", ("must be a whole number",)),
    )


def test_all_violations_are_counted_and_100_listed() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(list[int]).validate_json("[" + ",".join(['"x"'] * 5000) + "]")

    failure = build_invalid(refused.value.errors())
    assert failure.detail == "The request is not valid in 5000 fields, of which the first 100 are listed"
    assert len(failure.violations) == MAX_VIOLATIONS == 100
