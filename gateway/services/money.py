"""Amounts of money and rates: exact decimals that are strings in JSON."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from typing import Annotated, Final, TypeAlias, final

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

__all__ = ("Balance", "Money", "Payable", "Price", "Rate")

_EXACT: Final = Context(prec=28, traps=[Inexact, InvalidOperation])
_CENT: Final = Decimal("0.01")


def _money(amount: Decimal) -> str:
    return format(amount.quantize(_CENT, context=_EXACT), "f")


def _balance(amount: Decimal) -> str:
    return _money(_EXACT.plus(amount))  # zero has no sign


def _rate(rate: Decimal) -> str:
    return format(rate, "f")


@final
@dataclass(frozen=True, slots=True)
class _Written:
    """How pydantic reads and writes a decimal: as a string that matches *pattern*, made by *written*."""

    pattern: str
    written: Callable[[Decimal], str]

    def __get_pydantic_core_schema__(
        self, source: type[Decimal], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=self.pattern)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(Decimal, text),
            python_schema=core_schema.no_info_plain_validator_function(self._exact),
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.written, return_schema=text, when_used="json"
            ),
        )

    def _exact(self, value: object) -> Decimal:
        match value:
            case Decimal():
                text = self._text(value)
            case str():
                text = value
            case _:
                text = ""
        if re.fullmatch(self.pattern.removesuffix("$"), text) is None:
            msg = f"a decimal, or a string, that matches {self.pattern}"
            raise ValueError(msg)
        return Decimal(text)

    def _text(self, value: Decimal) -> str:
        try:
            return self.written(value)
        except DecimalException:
            return ""


Money: TypeAlias = Annotated[Decimal, _Written(r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$", _money)]
"""An amount of money, never negative: in JSON a string, written with two decimals and read with at most two.

No number is taken for one, in JSON or in Python. With its 15 digits before the point, a thousand times an
amount times a `Rate` is exact in Python's arithmetic of 28 digits.
"""

Balance: TypeAlias = Annotated[Decimal, _Written(r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,2})?$", _balance)]
"""What is in an account: as `Money`, but below zero where the account is overdrawn."""

Payable: TypeAlias = Annotated[Decimal, _Written(r"^(0|[1-9][0-9]{0,6})(\.[0-9]{1,2})?$", _money)]
"""What a caller may name: of at most seven digits before the point."""

Price: TypeAlias = Annotated[Decimal, _Written(r"^(0|[1-9][0-9]{0,10})(\.[0-9]{1,2})?$", _money)]
"""What a service may ask: of so few digits that a thousand times it, and more on top, is still `Money`."""

Rate: TypeAlias = Annotated[Decimal, _Written(r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,6})?$", _rate)]
"""A rate such as 0.0825, never negative: in JSON a string, written with the decimals that it has."""
