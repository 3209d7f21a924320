"""Headers of the requests to a service: those of every request, and those of a single call."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, final

from gateway.client.operations.request_body import FORM, JSON, RequestBody
from gateway.http1 import format_headers

__all__ = (
    "EncodedHeaders",
    "ForwardedHeaders",
    "ServiceHeaders",
    "check_header",
    "encode_headers",
    "format_forwarded",
    "has_unusual_headers",
)

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_FIXED: Final = frozenset(
    {
        "accept-encoding",  # compressed answers are decoded, but cost CPU on both sides
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the client sets itself, or that belong to the connection."""

_USUAL: Final = re.compile(r"[\w ~.:/+=@;,*|#!$&()%^?\[\]-]*", re.ASCII)
"""Characters of usual ids and trace states, such as .NET's `|37dd3dd5-4a9619fc.1.`: no quotes, no markup."""
_USUAL_LENGTH: Final = 4096
"""Octets. Many services refuse a request whose headers exceed 8 KiB, and some say so by hanging up."""

_CONTENT_TYPE: Final = b"content-type"


@final
class EncodedHeaders:
    """Headers of requests: their names and values, and the *lines* that are sent."""

    __slots__ = ("fields", "lines")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self.fields: Final = tuple(fields)
        self.lines: Final = format_headers(self.fields)


def check_header(name: str, value: str) -> None:
    """Raise `ValueError` unless a call may have the header *name* with *value* (RFC 9110, 5.1 and 5.5)."""
    if _NAME.fullmatch(name) is None:
        msg = f"invalid name of a header: {name!r}"
        raise ValueError(msg)
    if name.lower() in _FIXED:
        msg = f"the header {name} cannot be set: the client sets it itself"
        raise ValueError(msg)
    if _VALUE.fullmatch(value) is None:
        # The message omits the value, which may be secret.
        msg = (
            f"invalid value of header {name}: expected visible ASCII characters, "
            "without leading or trailing spaces"
        )
        raise ValueError(msg)


def encode_headers(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return *headers* with names in lower case; raise `ValueError` for an invalid name or value."""
    for name, value in headers.items():
        check_header(name, value)
    return {name.lower().encode("ascii"): value.encode("ascii") for name, value in headers.items()}


@final
class ForwardedHeaders(dict[str, str]):
    """Headers of a caller that every call of a run passes on; the calls share their *lines*."""

    __slots__ = ("lines",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self.lines: Final = _format_forwarded(headers)


def format_forwarded(headers: Mapping[str, str]) -> bytes:
    """Return *headers* as they are sent; raise `httpx.LocalProtocolError` if one is invalid."""
    return headers.lines if isinstance(headers, ForwardedHeaders) else _format_forwarded(headers)


def has_unusual_headers(
    headers: EncodedHeaders, defaults: EncodedHeaders, forwarded: Mapping[str, str]
) -> bool:
    """Return whether a service may fail because of a caller's headers, although it is healthy.

    That is so if the *headers* of a request, without the *defaults* of the service and with the *forwarded*
    headers of the caller, are unusually long, or if a forwarded header has characters that ids rarely have.
    """
    own = sum(
        len(name) + len(value) for name, value in headers.fields if (name, value) not in defaults.fields
    )
    length = own + sum(len(name) + len(value) for name, value in forwarded.items())
    return length > _USUAL_LENGTH or not all(map(_USUAL.fullmatch, forwarded.values()))


@final
class ServiceHeaders:
    """Headers of every request to a service, which the headers of a call replace.

    *defaults* are in order of precedence: a later header replaces an earlier one of the same name. A
    `Content-Type` among them replaces that of JSON bodies.
    """

    __slots__ = ("_by_type", "_types", "_values", "defaults")

    def __init__(self, host: bytes, *defaults: Mapping[str, str]) -> None:
        merged: dict[bytes, bytes] = {b"host": host, b"accept-encoding": b"identity"}
        for headers in defaults:
            merged |= encode_headers(headers)
        self._types = {JSON: merged.pop(_CONTENT_TYPE, JSON), FORM: FORM}
        self._values = merged
        self.defaults: Final = EncodedHeaders(merged.items())
        self._by_type = {
            media_type: EncodedHeaders((*merged.items(), (_CONTENT_TYPE, sent)))
            for media_type, sent in self._types.items()
        }

    def build(self, headers: Mapping[str, str] | None, body: RequestBody | None) -> EncodedHeaders:
        """Return all headers of a request with *headers* and *body*, except those of each attempt."""
        if headers:
            content_type = {} if body is None else {_CONTENT_TYPE: self._types[body.media_type]}
            return EncodedHeaders({**self._values, **content_type, **encode_headers(headers)}.items())
        return self.defaults if body is None else self._by_type[body.media_type]


def _format_forwarded(headers: Mapping[str, str]) -> bytes:
    return format_headers(
        [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
    )
