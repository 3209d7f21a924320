"""Requests as bytes (RFC 9112, 3)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import httpx

__all__ = ("write_request",)

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[!-~]+")
_FORBIDDEN: Final = re.compile(rb"[\r\n\0]")
_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"


def write_request(request: httpx.Request, content: bytes) -> bytes:
    """Return *request* with the body *content* as bytes.

    `Host` and `Content-Length` are added if they are missing. A `Transfer-Encoding` becomes a body in
    chunks. Raise `httpx.LocalProtocolError` for a request that would mean something else on the connection.
    """
    headers = request.headers.raw
    target = request.url.raw_path
    method = request.method.encode("ascii", "replace")
    if not _is_token(method) or _TARGET.fullmatch(target) is None:
        _refuse("method or target")
    parts = [method, b" ", target, b" HTTP/1.1\r\n"]
    names = _write_headers(parts, headers)
    if b"host" not in names:
        parts += (b"Host: ", request.url.netloc, b"\r\n")
    if _ENCODING in names:
        parts += (b"\r\n", b"%x\r\n%b\r\n" % (len(content), content) if content else b"", b"0\r\n\r\n")
    else:
        if content and _LENGTH not in names:
            parts.append(b"Content-Length: %d\r\n" % len(content))
        parts += (b"\r\n", content)
    return b"".join(parts)


def _write_headers(parts: list[bytes], headers: Sequence[tuple[bytes, bytes]]) -> set[bytes]:
    """Add *headers* to *parts*; return their names in lower case."""
    names = set[bytes]()
    for name, value in headers:
        if not _is_token(name) or _FORBIDDEN.search(value) is not None:
            _refuse("header")
        names.add(name.lower())
        parts += (name, b": ", value, b"\r\n")
    return names


@lru_cache(maxsize=1024)
def _is_token(name: bytes) -> bool:
    return _TOKEN.fullmatch(name) is not None


def _refuse(part: str) -> None:
    msg = f"the {part} of the request is invalid"
    raise httpx.LocalProtocolError(msg)
