"""Reasons of failures for the log: classes of errors, without what a service has sent."""

import errno
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast, final, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core.core_schema import ErrorType

__all__ = ("Reason", "describe_exception", "describe_invalid", "log_exception")

_MAX_ERRORS_SHOWN: Final = 3
_UNKNOWN_KEY: Final = "*"
_OWN_TYPES: Final = frozenset[str](get_args(ErrorType))
_DECLARED: Final = frozenset(
    {
        "actual_length", "class", "class_name", "decimal_places", "expected", "field_type", "ge", "gt",
        "le", "lt", "max_digits", "max_length", "min_length", "multiple_of", "pattern", "whole_digits",
    }
)  # fmt: skip
"""Parts of pydantic's messages that come from the declared type, or are numbers, not from the input."""


@final
@dataclass(frozen=True, slots=True)
class Reason:
    """Reason of a failure: a *summary* for the log, and *quoted* text for its debug level.

    The summary contains nothing that a service has sent, and no address: its bytes may be secrets or personal
    data, or forge lines of the log. Only *quoted* may contain them.
    """

    summary: str
    quoted: str = ""


def describe_exception(error: BaseException) -> Reason:
    """Return the classes of *error* and of its first cause; the message, which may quote bytes, is quoted.

    The error of an operating system has its name too, such as `EMFILE` for too many open files.
    """
    cause, names = error, [type(error).__name__]
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if type(cause) is not type(error):
        names.append(type(cause).__name__)
    if isinstance(cause, OSError) and (name := errno.errorcode.get(cause.errno or 0)):
        names[-1] += f" ({name})"
    return Reason(" from ".join(names), str(error))


def log_exception(log: logging.Logger, error: Exception, message: str) -> None:
    """Log *message* with the class of *error*, which has been raised, and the line that has raised it.

    The text of *error* may quote a service, so that the traceback is logged at debug level only.
    """
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s: %s in %s, line %s", message, type(error).__name__, where.filename, where.lineno)
    log.debug("%s", message, exc_info=error)


def describe_invalid(error: ValidationError, adapter: TypeAdapter[Any]) -> Reason:
    """Return the locations and messages of the first parts of *error*, which *adapter* has raised.

    In the summary, a key that the type does not declare is `*`, and a message that may depend on the value is
    replaced by the type of the error.
    """
    parts = error.errors(include_url=False, include_input=False)[:_MAX_ERRORS_SHOWN]
    declared = _list_declared_names(adapter)
    return Reason(
        "; ".join(
            _join((_show_key(key, declared) for key in part["loc"]), _find_message(part)) for part in parts
        ),
        "; ".join(_join(map(str, part["loc"]), part["msg"]) for part in parts),
    )


def _join(location: Iterator[str], message: str) -> str:
    return ": ".join(filter(None, (".".join(location), message)))


def _show_key(key: int | str, declared: frozenset[str]) -> str:
    return str(key) if isinstance(key, int) or key in declared else _UNKNOWN_KEY


def _find_message(part: Mapping[str, Any]) -> str:
    kind: str = part["type"]
    message: str = part["msg"]
    is_safe = kind == "json_invalid" or _DECLARED.issuperset(part.get("ctx", ()))
    return message if kind in _OWN_TYPES and is_safe else kind


@cache
def _list_declared_names(adapter: TypeAdapter[Any]) -> frozenset[str]:
    """Return the names of all fields in the type of *adapter*; empty if it has no JSON schema."""
    try:
        return frozenset(_find_names(adapter.json_schema()))
    except (PydanticUserError, PydanticUndefinedAnnotation):
        return frozenset()


def _find_names(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        members = cast("Mapping[str, object]", schema)
        properties = members.get("properties")
        if isinstance(properties, dict):
            yield from cast("Mapping[str, object]", properties)
        for member in members.values():
            yield from _find_names(member)
    elif isinstance(schema, list):
        for item in cast("list[object]", schema):
            yield from _find_names(item)
