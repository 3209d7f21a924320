"""Content codings of answers: gzip and deflate, decoded within a limit (RFC 9110, 8.4.1)."""

import zlib
from collections.abc import Sequence
from typing import Final

from gateway.observability.reason import Reason
from gateway.railway import Err, Ok, Result

__all__ = ("check_codings", "decode_content", "list_codings")

_GZIP: Final = zlib.MAX_WBITS + 16
_ZLIB: Final = zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_ZLIB_METHOD: Final = 8
_SUPPORTED: Final = frozenset({"gzip", "x-gzip", "deflate"})
_MOST_CODINGS: Final = 4


def list_codings(value: bytes) -> Sequence[str]:
    """Return the codings in *value*, a `Content-Encoding`, in the order in which they were applied.

    Empty members, which do not count (RFC 9110, 5.6.1.2), and `identity` are left out.
    """
    codings = (coding.strip() for coding in value.decode("latin-1").lower().split(","))
    return [coding for coding in codings if coding not in {"", "identity"}]


def check_codings(codings: Sequence[str]) -> Reason | None:
    """Return the reason why *codings* cannot be decoded, or None."""
    if len(codings) > _MOST_CODINGS:
        return Reason("too many codings in Content-Encoding")
    unsupported = next((coding for coding in codings if coding not in _SUPPORTED), None)
    return None if unsupported is None else Reason("unsupported Content-Encoding", unsupported)


def decode_content(body: bytes, codings: Sequence[str], limit: int) -> Result[bytes, Reason]:
    """Return *body* without its *codings*, or the reason why it is unusable.

    At most one byte more than *limit* is decoded of each coding.
    """
    for coding in reversed(codings):
        try:
            body = _inflate(body, _choose_format(coding, body), limit)
        except zlib.error as error:
            return Err(Reason(f"malformed {coding}", str(error)))
        if len(body) > limit:
            return Err(Reason(f"body over the limit of {limit} bytes"))
    return Ok(body)


def _choose_format(coding: str, body: bytes) -> int:
    """Return zlib's number for the format of *body*; servers send `deflate` with and without zlib's head."""
    if coding != "deflate":
        return _GZIP
    has_head = len(body) > 1 and body[0] & 0xF == _ZLIB_METHOD and (body[0] << 8 | body[1]) % 31 == 0
    return _ZLIB if has_head else _RAW_DEFLATE


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    """Return at most one byte more than *limit*; raise `zlib.error` for a malformed or incomplete body."""
    inflated = b""
    while body:  # gzip may have several members
        decoder = zlib.decompressobj(window)
        inflated += decoder.decompress(body, limit + 1 - len(inflated))
        if len(inflated) > limit:
            break
        if not decoder.eof:
            msg = "incomplete"
            raise zlib.error(msg)
        body = decoder.unused_data if window == _GZIP else b""
    return inflated
