"""Amounts of money and rates: exact decimals that are strings in JSON."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from typing import Annotated, Final, TypeAlias, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

__all__ = ("Balance", "Money", "Payable", "Price", "Rate", "ShownRate")

_EXACT: Final = Context(prec=28, traps=[Inexact, InvalidOperation])
_CENT: Final = Decimal("0.01")
_INVALID_AMOUNT: Final = "must be an amount of money"


def _fits(pattern: str, text: str) -> bool:
    # The `$` of a pattern also matches before a line feed at the end. `re` keeps compiled patterns.
    return re.match(pattern, text) is not None and not text.endswith("\n")


def _format_money(amount: Decimal) -> str:
    return format(amount.quantize(_CENT, context=_EXACT), "f")


def _format_balance(amount: Decimal) -> str:
    return _format_money(_EXACT.plus(amount))  # drops the sign of a negative zero


def _format_rate(rate: Decimal) -> str:
    return format(rate, "f")


@final
@dataclass(frozen=True, slots=True)
class _DecimalString:
    """Annotation for a decimal that is a string in JSON.

    *pattern* matches the valid strings, *format* serializes a decimal, and *message* is the error for an
    invalid string in JSON.
    """

    pattern: str
    format: Callable[[Decimal], str]
    message: str

    def __get_pydantic_core_schema__(
        self, source: type[Decimal], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=self.pattern)
        explained = core_schema.custom_error_schema(text, "decimal", custom_error_message=self.message)
        read = core_schema.chain_schema([core_schema.str_schema(strict=True), explained])
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(Decimal, read),
            python_schema=core_schema.no_info_plain_validator_function(self._parse),
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.format, return_schema=text, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the pattern, which pydantic does not find in a chain of schemas."""
        return {**handler(schema), "pattern": self.pattern}

    def _parse(self, value: object) -> Decimal:
        match value:
            case Decimal():
                text = self._try_format(value)
            case str():
                text = value
            case _:
                text = ""
        if not _fits(self.pattern, text):
            msg = f"must match {self.pattern}, as a Decimal or as a string"
            raise ValueError(msg)
        return Decimal(text)

    def _try_format(self, value: Decimal) -> str:
        try:
            return self.format(value)
        except DecimalException:
            return ""


Money: TypeAlias = Annotated[
    Decimal,
    _DecimalString(r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$", _format_money, _INVALID_AMOUNT),
]
"""An amount of money, at least 0. It is written to JSON with two decimals, and read with at most two.

Numbers (`int`, `float`) are refused, in JSON and in Python. An amount has at most 15 digits before the point.
So an amount times a quantity of at most 1000, and an amount times a `Rate`, are exact in Python's
default precision of 28 digits.
"""

Balance: TypeAlias = Annotated[
    Decimal,
    _DecimalString(r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$", _format_balance, _INVALID_AMOUNT),
]
"""The balance of an account: like `Money`, but negative if the account is overdrawn."""

Payable: TypeAlias = Annotated[
    Decimal,
    _DecimalString(
        r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,2})?$",
        _format_money,
        'must be an amount of money such as "12.99": at most seven digits and two decimals',
    ),
]
"""An amount in a client's request: like `Money`, with at most seven digits before the point."""

Price: TypeAlias = Annotated[
    Decimal,
    _DecimalString(r"^(0|[1-9][0-9]{0,10})(\.[0-9]{1,2})?$", _format_money, _INVALID_AMOUNT),
]
"""A price from a service: like `Money`, with at most eleven digits before the point.

So the price of a thousand pieces is still a valid `Money`.
"""

Rate: TypeAlias = Annotated[
    Decimal, _DecimalString(r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,6})?$", _format_rate, "must be a rate")
]
"""A rate such as 0.0825, from 0 to 999.999999. In JSON it is a string with all decimals of the rate."""

ShownRate: TypeAlias = Annotated[
    Decimal, _DecimalString(r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,24})?$", _format_rate, "must be a rate")
]
"""A `Rate` with up to 24 decimals, which is only shown: its product with an amount need not be exact."""
