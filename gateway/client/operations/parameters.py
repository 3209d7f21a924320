"""Parameters of a query, a form or a path, encoded as text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import TypeAlias, cast
from urllib.parse import quote, quote_plus
from uuid import UUID

from pydantic import BaseModel

__all__ = (
    "ParameterValue",
    "Parameters",
    "Scalar",
    "encode_form",
    "encode_pairs",
    "encode_query",
    "format_scalar",
)

Scalar: TypeAlias = str | int | float | Decimal | date | time | Enum | UUID
"""Value of a parameter; `bool` is an `int`, and `datetime` a `date`."""

ParameterValue: TypeAlias = Scalar | Iterable[Scalar] | None
"""A value, None for a parameter that is left out, or values for a parameter that is repeated."""

Parameters: TypeAlias = Mapping[str, object] | Iterable[tuple[str, object]]
"""Names and values in the order in which they are sent; in pairs, a name may be repeated.

A value is a `ParameterValue`; any other raises `TypeError`. The type is `object` because mypy infers no
better for a dict with values of several types.
"""


def encode_query(parameters: Parameters | BaseModel) -> str:
    """Return *parameters* as a query, without `?`; a space becomes `%20`."""
    return "&".join([pair for _, pair in encode_pairs(parameters)])


def encode_pairs(parameters: Parameters | BaseModel) -> Sequence[tuple[str, str]]:
    """Return the name and the encoded `name=value` of each value, in the order of a query."""
    return [(name, f"{quote(name, safe='')}={quote(text, safe='')}") for name, text in _flatten(parameters)]


def encode_form(parameters: Parameters | BaseModel) -> bytes:
    """Return *parameters* as an `application/x-www-form-urlencoded` body; a space becomes `+`."""
    pairs = [f"{quote_plus(name)}={quote_plus(text)}" for name, text in _flatten(parameters)]
    return "&".join(pairs).encode("ascii")


def format_scalar(name: str, value: object) -> str | None:  # noqa: PLR0911 - a case for each type
    """Return the text of *value*; None for None.

    Booleans become `true` and `false`, dates and times ISO 8601, decimals and floats have no exponent, and an
    enumeration has the text of its value. Raise `TypeError` for a value of another type, and `ValueError` for
    a float or decimal that is not finite; the message has *name*.
    """
    if type(value) is str:  # the usual case, and the fastest check
        return value
    match value:
        case Enum():
            return format_scalar(name, value.value)
        case str() | None:
            return value
        case bool():
            return "true" if value else "false"
        case int() | UUID():
            return str(value)
        case date() | time():
            return value.isoformat()
        case float() | Decimal() if isfinite(value):
            return format(Decimal(str(value)), "f")
        case float() | Decimal():
            msg = f"{name}: expected a finite number, got {value}"
            raise ValueError(msg)
        case _:
            msg = f"{name}: a value of type {type(value).__name__} cannot be sent as text"
            raise TypeError(msg)


def _flatten(parameters: Parameters | BaseModel) -> Iterator[tuple[str, str]]:
    for name, value in _list_pairs(parameters):
        for each in _list_values(value):
            if (text := format_scalar(name, each)) is not None:
                yield name, text


def _list_values(value: object) -> Iterable[object]:
    if type(value) is str:
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
        single: list[object] = [value]
        return single
    return cast("Iterable[object]", value)


def _list_pairs(parameters: Parameters | BaseModel) -> Iterable[tuple[str, object]]:
    if isinstance(parameters, Mapping):
        # Sound: an iterable of pairs is no mapping, although its type allows that.
        return cast("Mapping[str, object]", parameters).items()
    if isinstance(parameters, BaseModel):
        return parameters.model_dump(mode="json", by_alias=True).items()
    return parameters
