from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mock_services.values.money import Money, format_money

MONEY = TypeAdapter[Decimal](Money)

cents = st.integers(min_value=0, max_value=999_999_999)


@given(cents)
def test_amount_survives_round_trip(amount: int) -> None:
    text = format_money(Decimal(amount) / 100)

    assert MONEY.validate_python(text) * 100 == amount


@given(st.decimals(min_value=0, max_value=9_999_999, places=6))
def test_amount_is_rounded_to_nearest_cent(amount: Decimal) -> None:
    assert abs(Decimal(format_money(amount)) - amount) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("4.1", "4.10"), ("4.124999", "4.12"), ("4.125", "4.13"), ("4.135", "4.14")],
)
def test_half_cent_is_rounded_up(amount: str, text: str) -> None:
    assert format_money(Decimal(amount)) == text


@pytest.mark.parametrize("text", ["0", "0.5", "12.99", "9999999.99"])
def test_string_with_up_to_two_decimals_is_valid(text: str) -> None:
    assert MONEY.validate_python(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "01",
        "-1",
        "+1",
        "1.",
        ".5",
        "1.234",
        "1e2",
        "NaN",
        "12345678",
        " 1",
        "1\n",
        "1,5",
        12.99,
        12,
        None,
    ],
)
def test_invalid_amount_is_rejected(value: object) -> None:
    with pytest.raises(ValidationError, match="Input should be an amount of money in a string"):
        MONEY.validate_python(value)
