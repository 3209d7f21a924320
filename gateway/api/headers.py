"""Request headers that the gateway reads."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from starlette.types import Scope

from gateway.api.problems.refusal import Refusal

__all__ = (
    "INVALID_TIMEOUT",
    "HeaderFields",
    "build_propagated_headers",
    "parse_bearer_token",
    "parse_timeout",
    "read_fields",
)

INVALID_TIMEOUT: Final = "X-Request-Timeout-Ms must be a whole number of milliseconds, at least 1"

HeaderFields: TypeAlias = Mapping[bytes, bytes]
"""A request's headers by lower-case name; the values of a repeated header are joined by `, `."""

_POSITIVE_INTEGER: Final = re.compile(rb"[1-9][0-9]*")
# Later versions may have more fields, and ff is invalid: https://www.w3.org/TR/trace-context/#versioning-of-traceparent
_TRACEPARENT: Final = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750, 2.1
_VISIBLE: Final = re.compile(rb"[ -~]+")
_EMPTY: Final = b""


def read_fields(scope: Scope) -> HeaderFields:
    """Return the headers of the request with this ASGI *scope* (RFC 9110, 5.3)."""
    fields: dict[bytes, bytes] = {}
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def parse_timeout(fields: HeaderFields) -> float:
    """Return the client's timeout in seconds (`X-Request-Timeout-Ms`), infinite without the header.

    Raise `Refusal` unless the header is a positive integer, of any number of digits.
    """
    value = fields.get(b"x-request-timeout-ms")
    if value is None:
        return float("inf")
    if not _POSITIVE_INTEGER.fullmatch(value.strip(b" \t")):
        raise Refusal(code="invalid-header", detail=INVALID_TIMEOUT)
    return float(value) / 1000


def parse_bearer_token(fields: HeaderFields) -> str | None:
    """Return the token of `Authorization: Bearer`, or None if the header is absent or malformed."""
    found = _BEARER.fullmatch(fields.get(b"authorization", _EMPTY))
    return found and found[1].decode("ascii")


def build_propagated_headers(fields: HeaderFields, request_id: str) -> Mapping[str, str]:
    """Return the headers for every upstream call: the *request_id* and the W3C trace context.

    An invalid traceparent is dropped, and tracestate with it (https://www.w3.org/TR/trace-context/).
    """
    propagated = {"X-Request-Id": request_id}
    parent = fields.get(b"traceparent", _EMPTY)
    if _TRACEPARENT.fullmatch(parent):
        propagated["traceparent"] = parent.decode("ascii")
        state = fields.get(b"tracestate", _EMPTY)
        if _VISIBLE.fullmatch(state):
            propagated["tracestate"] = state.decode("ascii")
    return propagated
