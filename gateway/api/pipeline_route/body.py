"""The body of a request: its media type, its maximum size, and reading it."""

import asyncio
import re
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.api.headers import HeaderFields
from gateway.api.problems.refusal import Refusal

__all__ = ("BODY_TIMEOUT", "MAX_BYTES", "NOT_DECLARED_AS_JSON", "TOO_LARGE", "read_body", "require_json")

MAX_BYTES: Final = 64 * 1024
"""The maximum size of a request's body."""

TOO_LARGE: Final = f"The body is larger than {MAX_BYTES // 1024} KiB"
BODY_TIMEOUT: Final = "The body did not arrive before the deadline of the request"
NOT_DECLARED_AS_JSON: Final = "The body must be JSON in UTF-8, with Content-Type: application/json"

_JSON: Final = re.compile(rb"application/(?:[\w.!#$&^-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_CHARSET: Final = re.compile(rb';[ \t]*charset="?([^";, \t]*)', re.IGNORECASE)
_UTF_8: Final = b"utf-8"
_UNSUPPORTED: Final = "unsupported-media-type"
_PLAIN: Final = b"application/json"


def require_json(fields: HeaderFields) -> None:
    """Raise `Refusal` unless the headers declare uncompressed JSON in UTF-8 (RFC 9110, 15.5.16)."""
    declared = fields.get(b"content-type", b"")
    if declared != _PLAIN and not _is_json(declared):
        accept = {"Accept": "application/json"}
        raise Refusal(code=_UNSUPPORTED, detail=NOT_DECLARED_AS_JSON, headers=accept)
    if fields.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        detail = "The body must not be compressed; send it without Content-Encoding"
        raise Refusal(code=_UNSUPPORTED, detail=detail, headers={"Accept-Encoding": "identity"})


async def read_body(fields: HeaderFields, receive: Receive, deadline: float) -> bytearray:
    """Return the whole body; wait for it until *deadline* on the event loop's clock.

    Raise `Refusal` if the deadline passes or the body exceeds `MAX_BYTES` (at once if its Content-Length
    does), and `ClientDisconnect` if the client disconnects before the end of the body.
    """
    length = fields.get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BYTES:
        raise _build_size_refusal()
    try:
        async with asyncio.timeout_at(deadline):
            return await _receive_body(receive)
    except TimeoutError:
        close = {"Connection": "close"}
        raise Refusal(code="request-timeout", detail=BODY_TIMEOUT, headers=close) from None


async def _receive_body(receive: Receive) -> bytearray:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > MAX_BYTES:
            raise _build_size_refusal()
        if not message.get("more_body", False):
            return body


def _is_json(declared: bytes) -> bool:
    return _JSON.fullmatch(declared) is not None and all(
        charset.lower() == _UTF_8 for charset in _CHARSET.findall(declared)
    )


def _build_size_refusal() -> Refusal:
    return Refusal(code="too-large", detail=TOO_LARGE)
