"""Validation of arguments: an invalid value raises a `ValueError` that names the argument and the range.

Numbers are `int` and `float`, but not `bool`; a whole number is an `int`.
"""

import math

__all__ = (
    "check_at_least",
    "check_at_most",
    "check_between",
    "check_fraction",
    "check_seconds",
    "check_whole",
)


def check_at_least(name: str, value: object, least: float) -> None:
    """Raise `ValueError` unless *value* is a finite number of at least *least*."""
    if not least <= _to_number(value) < math.inf:
        raise _error(name, f"at least {least}", value)


def check_at_most(name: str, value: float, other: str, most: float) -> None:
    """Raise `ValueError` unless *value* is at most *most*, the value of the argument *other*."""
    if value > most:
        raise _error(name, f"at most {other} ({most})", value)


def check_between(name: str, value: object, least: float, most: float) -> None:
    """Raise `ValueError` unless *value* is a number from *least* to *most*."""
    if not least <= _to_number(value) <= most:
        raise _error(name, f"from {least} to {most}", value)


def check_fraction(name: str, value: object) -> None:
    """Raise `ValueError` unless *value* is a number above 0 and at most 1."""
    if not 0 < _to_number(value) <= 1:
        raise _error(name, "above 0 and at most 1", value)


def check_seconds(name: str, value: object) -> None:
    """Raise `ValueError` unless *value* is a positive, finite number of seconds."""
    if not 0 < _to_number(value) < math.inf:
        raise _error(name, "a positive, finite number of seconds", value)


def check_whole(name: str, value: object, least: int) -> None:
    """Raise `ValueError` unless *value* is a whole number of at least *least*."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _error(name, f"a whole number of at least {least}", value)


def _to_number(value: object) -> float:
    """Return *value* if it is a number, otherwise NaN, which is in no range."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _error(name: str, allowed: str, value: object) -> ValueError:
    return ValueError(f"{name} must be {allowed}, got {value!r}")
