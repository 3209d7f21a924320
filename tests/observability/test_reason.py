"""Reasons of failures for the log."""

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, LiteralString
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from gateway.observability.reason import Reason, describe_exception, describe_invalid


class Colour(Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def refuse(value: str) -> str:
    msg = f"cannot use {value}"
    raise ValueError(msg)


def refuse_by_custom_error(value: str) -> str:
    kind: LiteralString = "unusable"
    raise PydanticCustomError(kind, "cannot use {value}", {"value": value})


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int = 1
    colour: Colour = Colour.RED
    name: Annotated[str, AfterValidator(refuse)] = ""
    code: Annotated[str, AfterValidator(refuse_by_custom_error)] = ""
    id: UUID | None = None
    counts: dict[str, int] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    numbers: dict[int, int] = {}
    short: Annotated[str, Field(max_length=1, alias="shortName")] = ""


THING = TypeAdapter(Thing)


def describe(body: str, adapter: TypeAdapter[Any] = THING) -> Reason:
    with pytest.raises(ValidationError) as invalid:
        adapter.validate_json(body)
    return describe_invalid(invalid.value, adapter)


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ('{"size": "SECRET"}', "size: Input should be a valid integer, unable to parse string as an integer"),
        ('{"colour": "SECRET"}', "colour: Input should be 'red'"),
        ('{"name": "SECRET"}', "name: value_error"),
        ('{"code": "SECRET"}', "code: unusable"),
        ('{"id": "SECRET"}', "id: uuid_parsing"),
        ('{"counts": {"SECRET": "SECRET"}}', "counts.*: Input should be a valid integer, unable"),
        ('{"numbers": {"SECRET": 1}}', "numbers.*.*: Input should be a valid integer, unable"),
        ('{"SECRET": 1}', "*: Extra inputs are not permitted"),
        ('{"pet": {"kind": "SECRET"}}', "pet: union_tag_invalid"),
        ('{"shortName": "SECRET"}', "shortName: String should have at most 1 character"),
        ("SECRET", "Invalid JSON: expected value at line 1 column 1"),
        ('{"SECRET', "Invalid JSON: EOF while parsing a string at line 1 column 8"),
        ("[]", "Input should be an object"),
    ],
)
def test_summary_contains_nothing_received(body: str, summary: str) -> None:
    reason = describe(body)

    assert reason.summary.startswith(summary)
    assert "SECRET" not in reason.summary


def test_debug_text_has_keys_and_messages() -> None:
    assert describe('{"counts": {"a key": null}}').quoted == "counts.a key: Input should be a valid integer"
    assert describe('{"name": "bob"}').quoted == "name: Value error, cannot use bob"


def test_first_three_errors_are_described() -> None:
    reason = describe("[null, 1, null, null, null]", TypeAdapter(list[int]))

    assert reason.summary == "; ".join(f"{n}: Input should be a valid integer" for n in (0, 2, 3))


def test_type_without_json_schema_declares_no_names() -> None:
    adapter = TypeAdapter[Any](dict[str, Callable[[], int]])

    assert describe('{"SECRET": 1}', adapter).summary.startswith("*: ")


def test_exception_is_described_by_classes() -> None:
    error = OSError("SECRET")
    error.__cause__ = RuntimeError("between")
    error.__cause__.__cause__ = ConnectionRefusedError("http://host/SECRET")

    assert describe_exception(error) == Reason("OSError from ConnectionRefusedError", "SECRET")


def test_exception_without_cause_is_its_class() -> None:
    assert describe_exception(TimeoutError()) == Reason("TimeoutError")


def test_system_error_has_its_name() -> None:
    """An operator sees that no file can be opened, and not only that a service is unavailable."""
    error = RuntimeError("SECRET")
    error.__cause__ = OSError(24, "Too many open files")

    assert describe_exception(error) == Reason("RuntimeError from OSError (EMFILE)", "SECRET")
