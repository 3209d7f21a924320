"""The body of a request: what it may be, how much of it, and reading it."""

import re
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.api.pipeline_route.headers import Fields
from gateway.api.problems.refusal import Refusal

__all__ = ("LIMIT", "read", "refuse_other_than_json")

LIMIT: Final = 64 * 1024
"""The most bytes that a request's body may have."""

_JSON: Final = re.compile(rb"application/(?:[\w.!#$&^-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_CHARSET: Final = re.compile(rb';[ \t]*charset="?([^";, \t]*)', re.IGNORECASE)
_UTF_8: Final = b"utf-8"
_OTHER: Final = "unsupported-media-type"
_PLAIN: Final = b"application/json"


def refuse_other_than_json(sent: Fields) -> None:
    """Raise `Refusal` unless the headers declare uncompressed JSON in UTF-8 (RFC 9110, 15.5.16)."""
    declared = sent.get(b"content-type", b"")
    if declared != _PLAIN and not _is_json(declared):
        detail = "The body must be JSON in UTF-8, with Content-Type: application/json"
        raise Refusal(code=_OTHER, detail=detail, headers={"Accept": "application/json"})
    if sent.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        detail = "The body must not be compressed"
        raise Refusal(code=_OTHER, detail=detail, headers={"Accept-Encoding": "identity"})


async def read(sent: Fields, receive: Receive) -> bytearray:
    """Read the body to its end; raise `Refusal` once it is over `LIMIT`, and before if its length says so.

    Raises `ClientDisconnect` if the client hangs up before the end.
    """
    length = sent.get(b"content-length", b"")
    if length.isdigit() and int(length) > LIMIT:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > LIMIT:
            raise _too_large()
        if not message.get("more_body", False):
            return body


def _is_json(declared: bytes) -> bool:
    return _JSON.fullmatch(declared) is not None and all(
        charset.lower() == _UTF_8 for charset in _CHARSET.findall(declared)
    )


def _too_large() -> Refusal:
    return Refusal(code="too-large", detail=f"The body has more than {LIMIT // 1024} KiB")
