"""Request headers that the gateway reads."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from starlette.types import Scope

from gateway.api.problems.refusal import Refusal
from gateway.client.operations.request_headers import ForwardedHeaders

__all__ = (
    "INVALID_TIMEOUT",
    "HeaderFields",
    "build_propagated_headers",
    "parse_bearer_token",
    "parse_timeout",
    "parse_trace_id",
    "read_fields",
)

INVALID_TIMEOUT: Final = "X-Request-Timeout-Ms must be a whole number of milliseconds, at least 1"

HeaderFields: TypeAlias = Mapping[bytes, bytes]
"""A request's headers by lower-case name; the values of a repeated header are joined by `, `."""

_POSITIVE_INTEGER: Final = re.compile(rb"[1-9][0-9]*")
_ENVOY_TIMEOUT: Final = re.compile(rb"0*[1-9][0-9]*")
# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
_GRPC_TIMEOUT: Final = re.compile(rb"(?!0+[A-Za-z])([0-9]{1,8})([HMSmun])")
_GRPC_UNITS: Final[Mapping[bytes, float]] = MappingProxyType(
    {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
)
# Later versions may have more fields, and ff is invalid: https://www.w3.org/TR/trace-context/#versioning-of-traceparent
_TRACEPARENT: Final = re.compile(
    rb"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]*)?"
)
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750, 2.1
_VISIBLE: Final = re.compile(rb"[ -~]{1,512}")  # https://www.w3.org/TR/trace-context/#tracestate-limits
_MAX_PARENT: Final = 512
_MAX_TOKEN: Final = 8192
_EMPTY: Final = b""
_INFINITE: Final = float("inf")


def read_fields(scope: Scope) -> HeaderFields:
    """Return the headers of the request with this ASGI *scope* (RFC 9110, 5.3)."""
    fields: dict[bytes, bytes] = {}
    for name, value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def parse_timeout(fields: HeaderFields) -> float:
    """Return the shortest timeout in the headers, in seconds; infinite without one.

    Clients send `X-Request-Timeout-Ms`, Envoy sends `x-envoy-expected-rq-timeout-ms`, and gRPC's clients and
    proxies send `grpc-timeout`. Proxies add the last two without being asked, so a malformed one is ignored.
    Raise `Refusal` unless `X-Request-Timeout-Ms` is a positive integer, of any number of digits.
    """
    return min(_parse_client_timeout(fields), _parse_envoy_timeout(fields), _parse_grpc_timeout(fields))


def parse_bearer_token(fields: HeaderFields) -> str | None:
    """Return the token of `Authorization: Bearer`; None if it is absent, malformed or longer than 8 KiB.

    Services refuse longer tokens, in ways that look like failures.
    """
    found = _BEARER.fullmatch(fields.get(b"authorization", _EMPTY))
    return found[1].decode("ascii") if found and len(found[1]) <= _MAX_TOKEN else None


def build_propagated_headers(fields: HeaderFields, request_id: str) -> ForwardedHeaders:
    """Return the headers for every upstream call: the *request_id* and the W3C trace context.

    An invalid traceparent is dropped, and tracestate with it (https://www.w3.org/TR/trace-context/). Each is
    dropped if it has more than 512 characters: services refuse requests whose headers are too large.
    """
    propagated = {"X-Request-Id": request_id}
    parent = fields.get(b"traceparent", _EMPTY)
    if len(parent) <= _MAX_PARENT and _TRACEPARENT.fullmatch(parent):
        propagated["traceparent"] = parent.decode("ascii")
        state = fields.get(b"tracestate", _EMPTY)
        if _VISIBLE.fullmatch(state):
            propagated["tracestate"] = state.decode("ascii")
    return ForwardedHeaders(propagated)


def parse_trace_id(fields: HeaderFields) -> str | None:
    """Return the trace id of a valid traceparent, 32 hexadecimal digits; None without one."""
    parent = fields.get(b"traceparent", _EMPTY)
    if len(parent) > _MAX_PARENT or not _TRACEPARENT.fullmatch(parent):
        return None
    return parent.split(b"-")[1].decode("ascii")


def _parse_client_timeout(fields: HeaderFields) -> float:
    value = fields.get(b"x-request-timeout-ms")
    if value is None:
        return _INFINITE
    if not _POSITIVE_INTEGER.fullmatch(value.strip(b" \t")):
        raise Refusal(code="invalid-header", detail=INVALID_TIMEOUT)
    return float(value) / 1000


def _parse_envoy_timeout(fields: HeaderFields) -> float:
    value = fields.get(b"x-envoy-expected-rq-timeout-ms")
    return _INFINITE if value is None or not _ENVOY_TIMEOUT.fullmatch(value) else float(value) / 1000


def _parse_grpc_timeout(fields: HeaderFields) -> float:
    value = fields.get(b"grpc-timeout")
    found = value and _GRPC_TIMEOUT.fullmatch(value)
    return int(found[1]) * _GRPC_UNITS[found[2]] if found else _INFINITE
