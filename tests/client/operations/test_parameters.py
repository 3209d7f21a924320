"""Values of queries and forms as text."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from gateway.client.operations.parameters import (
    encode_form,
    encode_query,
    format_scalar,
)
from gateway.services.money import Money

sendable = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


class Colour(Enum):
    RED = "red"


class Shade(StrEnum):
    DARK = "dark"


class Level(Enum):
    HIGH = 3


class Order(BaseModel):
    amount: Money
    note: str | None = None
    tags: tuple[str, ...] = ()
    price_from: Annotated[int, Field(serialization_alias="from")] = 1


@given(st.lists(st.tuples(sendable, sendable), min_size=1, max_size=4))
@example([("a", "b&c=d"), ("a", "e f+g"), ("é", "%26#?/")])
def test_encoded_parameters_can_be_decoded(pairs: list[tuple[str, str]]) -> None:
    for encoded in (encode_query(pairs), encode_form(pairs).decode("ascii")):
        assert parse_qsl(encoded, keep_blank_values=True, errors="strict") == pairs


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (3, "3"),
        (True, "true"),
        (False, "false"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.10"), "0.10"),
        (52.5, "52.5"),
        (1e-7, "0.0000001"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (time(8, 30), "08:30:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        (Shade.DARK, "dark"),
        (Level.HIGH, "3"),
        (None, None),
    ],
)
def test_scalar_is_formatted(value: object, text: str | None) -> None:
    assert format_scalar("a", value) == text


@pytest.mark.parametrize("value", [b"a", {"a": 1}, ("a", 1), object()])
def test_value_of_other_type_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"^a: a value of type [a-z]+ cannot be sent as text$"):
        format_scalar("a", value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN")])
def test_number_that_is_not_finite_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^a: expected a finite number, got "):
        format_scalar("a", value)


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ((), ""),
        ({"a": 1, "b": None}, "a=1"),
        ({"a": ["x", None, "y"], "b": []}, "a=x&a=y"),
        ({"a": (n for n in (1, 2))}, "a=1&a=2"),
        ([("a", 1), ("b", 2), ("a", [3, 4])], "a=1&b=2&a=3&a=4"),
        ({"metadata[order id]": "7 8"}, "metadata%5Border%20id%5D=7%208"),
    ],
)
def test_query_repeats_lists_and_omits_none(parameters: Mapping[str, Any], query: str) -> None:
    assert encode_query(parameters) == query


@pytest.mark.parametrize("value", [{"a": 1}, b"a", [["a"]], [{"a": 1}]])
def test_nested_value_is_refused(value: list[Any]) -> None:
    with pytest.raises(TypeError, match=r"^a: a value of type (dict|bytes|list) cannot be sent as text$"):
        encode_query({"a": value})


def test_form_encodes_spaces_as_plus() -> None:
    assert encode_form({"a b": "c d", "e": "+"}) == b"a+b=c+d&e=%2B"


def test_model_is_encoded_as_in_json() -> None:
    order = Order(amount=Decimal(12), tags=("x", "y"))

    assert encode_form(order) == b"amount=12.00&tags=x&tags=y&from=1"
