"""What the headers of a request say to the gateway itself."""

import re
import secrets
from collections.abc import Mapping
from typing import Final, TypeAlias, cast
from urllib.parse import quote

from starlette.types import Scope

from gateway.api.problems.refusal import Refusal

__all__ = ("Fields", "baggage", "bearer", "fields", "identify", "path", "patience", "request_id")

Fields: TypeAlias = Mapping[bytes, bytes]
"""A request's headers by lower-case name; one that was sent several times has its values joined by `, `."""

_ID: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_FROM_ONE: Final = re.compile(rb"[1-9][0-9]*")
# Versions to come may say more, and ff never comes: https://www.w3.org/TR/trace-context/#versioning-of-traceparent
_TRACEPARENT: Final = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750, 2.1
_VISIBLE: Final = re.compile(rb"[ -~]+")
_NOTHING: Final = b""
_UNQUOTED: Final = "/!$&'()*+,;=:@"


def fields(scope: Scope) -> Fields:
    """Give the headers of the request with this ASGI *scope* (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in _headers(scope):
        found[name] = found[name] + b", " + value if name in found else value
    return found


def identify(scope: Scope) -> str:
    """Name the request after its `X-Request-Id` if that is an id, else anew; `request_id` gives it again."""
    asked = b", ".join(value for name, value in _headers(scope) if name == b"x-request-id")
    name = asked.decode("ascii") if _ID.fullmatch(asked) else secrets.token_hex(16)
    scope.setdefault("state", {})["request_id"] = name
    return name


def request_id(scope: Scope) -> str:
    """Give the name that `identify` gave to the request."""
    return cast("str", scope["state"]["request_id"])


def path(scope: Scope) -> str:
    """Give the path that was asked for, percent-encoded (RFC 3986, 3.3), without the query."""
    return quote(scope["path"], safe=_UNQUOTED)


def patience(sent: Fields) -> float:
    """Give how many seconds the caller will wait (`X-Request-Timeout-Ms`): infinity where it does not say.

    Raises `Refusal` unless the header is a whole number from 1. Any number of digits will do.
    """
    asked = sent.get(b"x-request-timeout-ms")
    if asked is None:
        return float("inf")
    if not _FROM_ONE.fullmatch(asked.strip(b" \t")):
        detail = "X-Request-Timeout-Ms must be a whole number of milliseconds, from 1"
        raise Refusal(code="invalid-header", detail=detail)
    return float(asked) / 1000


def bearer(sent: Fields) -> str | None:
    """Give the token of an `Authorization: Bearer`; None without one, or if it cannot be a token."""
    found = _BEARER.fullmatch(sent.get(b"authorization", _NOTHING))
    return found and found[1].decode("ascii")


def baggage(sent: Fields, name: str) -> Mapping[str, str]:
    """Give what every call passes on: *name*, the request's id, and its trace (https://www.w3.org/TR/trace-context/).

    A traceparent that is not valid is dropped, and tracestate with it.
    """
    carried = {"X-Request-Id": name}
    parent = sent.get(b"traceparent", _NOTHING)
    if _TRACEPARENT.fullmatch(parent):
        carried["traceparent"] = parent.decode("ascii")
        state = sent.get(b"tracestate", _NOTHING)
        if _VISIBLE.fullmatch(state):
            carried["tracestate"] = state.decode("ascii")
    return carried


def _headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    return cast("list[tuple[bytes, bytes]]", scope["headers"])
