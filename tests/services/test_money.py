"""Amounts of money, balances and rates: exact decimals that are strings in JSON."""

from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from gateway.services.money import Balance, Money, Payable, Rate

MONEY: Final[TypeAdapter[Decimal]] = TypeAdapter(Money)
RATE: Final[TypeAdapter[Decimal]] = TypeAdapter(Rate)
PAYABLE: Final[TypeAdapter[Decimal]] = TypeAdapter(Payable)
BALANCE: Final[TypeAdapter[Decimal]] = TypeAdapter(Balance)

LARGEST: Final = Decimal("999999999999999.99")


def from_cents(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


amounts = st.integers(0, int(LARGEST * 100)).map(from_cents)


@given(amounts)
def test_money_round_trips_with_two_decimals(amount: Decimal) -> None:
    written = MONEY.dump_json(amount)
    whole, _, cents = written.decode().strip('"').partition(".")

    assert MONEY.validate_json(written) == amount
    assert (whole.isdecimal(), len(cents)) == (True, 2)


@given(amounts, st.integers(0, 1000), st.decimals(0, 999, places=6))
def test_checkout_arithmetic_is_exact(amount: Decimal, quantity: int, rate: Decimal) -> None:
    product = MONEY.validate_python(amount) * quantity
    tax = amount * RATE.validate_python(rate)

    assert product == from_cents(int(amount * 100) * quantity)
    assert int(tax.scaleb(8)) == int(amount * 100) * int(rate.scaleb(6))


@given(st.integers(0, 999_999_999).map(from_cents), st.booleans())
def test_payable_serializes_like_money(amount: Decimal, is_short: bool) -> None:  # noqa: FBT001
    text = f"{amount}".rstrip("0").rstrip(".") if is_short else f"{amount}"
    payable = PAYABLE.validate_json(f'"{text}"')

    assert payable == amount
    assert MONEY.dump_json(payable) == PAYABLE.dump_json(payable) == f'"{amount}"'.encode()


@given(st.lists(st.integers(0, 999_999_999).map(from_cents), max_size=50))
def test_opposite_balances_add_up_to_zero(
    amounts: list[Decimal],
) -> None:
    source = destination = Decimal(0)
    for amount in amounts:
        source, destination = source - amount, destination + amount
        written = [BALANCE.validate_json(BALANCE.dump_json(balance)) for balance in (source, destination)]

        assert written == [source, destination]
        assert sum(written) == 0


@given(st.floats() | st.integers() | st.booleans() | st.none())
def test_money_refuses_numbers(value: object) -> None:
    for adapter in (MONEY, RATE, BALANCE):
        with pytest.raises(ValidationError):
            adapter.validate_python(value)
        with pytest.raises(ValidationError):
            adapter.validate_json(to_json(value))


@given(st.text() | st.from_regex(r"[0-9.+-]{1,20}", fullmatch=True))
def test_python_and_json_accept_same_strings(text: str) -> None:
    def parse_both(adapter: TypeAdapter[Decimal]) -> tuple[object, object]:
        try:
            from_python: object = adapter.validate_python(text)
        except ValidationError:
            from_python = None
        try:
            from_json: object = adapter.validate_json(to_json(text))
        except ValidationError:
            from_json = None
        return from_python, from_json

    for adapter in (MONEY, RATE, BALANCE):
        from_python, from_json = parse_both(adapter)

        assert from_python == from_json


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "1.", ".5", "-1", "-0", "-0.00", "+1", "01", "00.10", "1.234", "1,00", "1 ", " 1", "1\n"),
        *("1e2", "NaN", "Infinity", "٣", "１", "0x1", "1_000", "1000000000000000"),  # noqa: RUF001 - on purpose
    ],
)
def test_money_refuses_malformed_strings(text: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_python(text)
    with pytest.raises(ValidationError):
        MONEY.validate_json(f'"{text}"' if text != "1\n" else '"1\\n"')


@pytest.mark.parametrize(("text", "written"), [("0", "0.00"), ("12.9", "12.90"), ("12.99", "12.99")])
def test_money_accepts_fewer_decimals(text: str, written: str) -> None:
    assert MONEY.dump_json(MONEY.validate_json(f'"{text}"')) == f'"{written}"'.encode()


@pytest.mark.parametrize("amount", ["0.001", "-1", "NaN", "sNaN", "Infinity", "1E+15", "1E+99", "-0"])
def test_money_refuses_invalid_decimals(amount: str) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_python(Decimal(amount))


@pytest.mark.parametrize("amount", ["1E+2", "100.000", "100"])
def test_money_accepts_any_form_of_a_decimal(amount: str) -> None:
    assert MONEY.validate_python(Decimal(amount)) == Decimal(100)


@pytest.mark.parametrize(
    ("rate", "written"), [("0", "0"), ("0.0825", "0.0825"), ("1.50", "1.50"), ("1E-6", "0.000001")]
)
def test_rate_keeps_its_decimals(rate: str, written: str) -> None:
    assert RATE.dump_json(RATE.validate_python(Decimal(rate))) == f'"{written}"'.encode()


@pytest.mark.parametrize("rate", ["0.0000001", "1000", "-0.5"])
def test_rate_refuses_values_out_of_range(rate: str) -> None:
    with pytest.raises(ValidationError):
        RATE.validate_python(Decimal(rate))


def test_money_schema_is_string_with_pattern() -> None:
    schema = {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$"}

    assert MONEY.json_schema(mode="validation") == schema
    assert MONEY.json_schema(mode="serialization") == schema


def test_money_is_decimal_in_python() -> None:
    assert MONEY.dump_python(Decimal("1.5")) == Decimal("1.5")


@given(amounts)
def test_balance_round_trips_with_either_sign(amount: Decimal) -> None:
    for balance in (amount, -amount):
        assert BALANCE.validate_json(BALANCE.dump_json(balance)) == balance
    assert BALANCE.dump_json(amount) == MONEY.dump_json(amount)


@pytest.mark.parametrize("zero", ["0", "-0", "-0.00"])
def test_zero_balance_has_no_sign(zero: str) -> None:
    assert BALANCE.dump_json(BALANCE.validate_python(Decimal(zero))) == b'"0.00"'
    assert BALANCE.dump_json(BALANCE.validate_json(f'"{zero}"')) == b'"0.00"'


@pytest.mark.parametrize("text", ["", "-", "--1", "+1", "-01", "- 1", "-1.234", "1-", "-1000000000000000"])
def test_balance_refuses_malformed_strings(text: str) -> None:
    with pytest.raises(ValidationError):
        BALANCE.validate_python(text)


@pytest.mark.parametrize("amount", ["-0.001", "NaN", "-NaN", "sNaN", "-Infinity", "-1E+15", "-1E+99"])
def test_balance_refuses_invalid_decimals(amount: str) -> None:
    with pytest.raises(ValidationError):
        BALANCE.validate_python(Decimal(amount))
