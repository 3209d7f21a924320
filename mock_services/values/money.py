"""Amounts of money: Decimal in Python, strings in JSON, never floats."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from pydantic import PlainValidator
from pydantic_core import PydanticCustomError

__all__ = ["Money", "format_money", "round_to_cents"]

_CENT: Final = Decimal("0.01")
_PATTERN: Final = re.compile(r"(0|[1-9][0-9]{0,6})(\.[0-9]{1,2})?")


def _parse(value: object) -> Decimal:
    if not isinstance(value, str) or _PATTERN.fullmatch(value) is None:
        kind = "money"
        raise PydanticCustomError(kind, 'Input should be an amount of money in a string, such as "12.99"')
    return Decimal(value)


Money = Annotated[Decimal, PlainValidator(_parse)]
"""An amount in a request: a Decimal that is parsed from a string with at most two decimals."""


def round_to_cents(amount: Decimal) -> Decimal:
    """Round half up to cents."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def format_money(amount: Decimal) -> str:
    """Return an amount as a string with two decimals."""
    return str(round_to_cents(amount))
