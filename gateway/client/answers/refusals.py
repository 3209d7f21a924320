"""Provenance of refusals: a proxy's page with a declared status must not pass for the service's refusal."""

import inspect
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import httpx

from gateway.observability.reason import log_exception

__all__ = ("IsRefusal", "Refusals", "choose_refusal_check", "has_json_type", "list_media_types")

_log: Final = logging.getLogger("gateway.client")

IsRefusal: TypeAlias = Callable[[httpx.Response], bool]
"""Function that returns whether a response with a declared status comes from the service itself."""

Refusals: TypeAlias = Literal["json", "any"] | IsRefusal
"""Responses that count as refusals of the service if their status is declared.

- `"json"`: those whose media type is `application/problem+json` or another JSON type, unless the body is an
  HTML page all the same.
- `"any"`: all of them.
- a function: those for which it returns True. It can read the status and the headers, but not the body.
"""

_JSON_TYPE: Final = re.compile(r"(application|text)/json|[^/\s]+/[^/\s]+\+json")
"""JSON MIME type (https://mimesniff.spec.whatwg.org/#json-mime-type)."""


def choose_refusal_check(refusals: Refusals) -> IsRefusal:
    """Return the function for *refusals*; an exception in a user's function is logged, and counts as False.

    Raise `ValueError` for an unknown word, and `TypeError` for an async function.
    """
    _check(refusals)
    return _guard(refusals) if callable(refusals) else _CHECKS[refusals]


def list_media_types(response: httpx.Response) -> Sequence[str]:
    """Return the media type of *response* in lower case and without parameters; "" if it has none.

    There are several if the response has several `Content-Type` fields, which it should not.
    """
    types = str(response.headers.get("content-type", "")).split(",")
    return [media_type.partition(";")[0].strip().lower() for media_type in types]


def _check(refusals: object) -> None:
    if inspect.iscoroutinefunction(refusals):
        msg = f"refusals must not be an async function: {refusals!r}"
        raise TypeError(msg)
    if not callable(refusals) and refusals not in [*_CHECKS]:
        msg = f"invalid refusals {refusals!r}: expected 'json', 'any' or a function"
        raise ValueError(msg)


def has_json_type(response: httpx.Response) -> bool:
    """Return whether the media type of *response* is `application/problem+json` or another JSON type."""
    return all(map(_JSON_TYPE.fullmatch, list_media_types(response)))


def _is_any(_: httpx.Response) -> bool:
    return True


_CHECKS: Final[Mapping[str, IsRefusal]] = {"json": has_json_type, "any": _is_any}


def _guard(check: IsRefusal) -> IsRefusal:
    def guarded(response: httpx.Response) -> bool:
        try:
            return bool(check(response))
        except Exception as error:  # noqa: BLE001 - logged: the response counts as a proxy's
            log_exception(
                _log, error, "refusals raised an exception; the response does not count as a refusal"
            )
            return False

    return guarded
