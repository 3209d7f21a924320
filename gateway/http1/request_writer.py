"""Requests as bytes (RFC 9112, 3)."""

import re
from functools import lru_cache
from typing import Final

import httpx

from gateway.http1.prepared_request import PreparedRequest

__all__ = ("write_request",)

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[!-~]+")
_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"
_HOST: Final = b"host"


def write_request(request: httpx.Request, content: bytes) -> bytes:
    """Return *request* with the body *content* as bytes.

    `Host` and `Content-Length` are added if they are missing. A `Transfer-Encoding` becomes a body in
    chunks. Raise `httpx.LocalProtocolError` for a request that would mean something else on the connection.
    """
    headers = request.raw_headers if isinstance(request, PreparedRequest) else request.headers.raw
    method, target = request.method.encode("ascii", "replace"), request.url.raw_path
    parts = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    names = {_normalize(name) for name, _ in headers}
    if _normalize(method) is None or _TARGET.fullmatch(target) is None or None in names:
        _refuse("method, the target or the name of a header")
    parts += [b"%b: %b\r\n" % header for header in headers]
    if _HOST not in names:
        parts.append(b"Host: %b\r\n" % request.url.netloc)
    if _ENCODING in names:
        content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
    elif content and _LENGTH not in names:
        parts.append(b"Content-Length: %d\r\n" % len(content))
    head = b"".join(parts)
    if not head.count(b"\r") == head.count(b"\n") == len(parts) or b"\0" in head:
        _refuse("value of a header")
    return b"%b\r\n%b" % (head, content)


@lru_cache(maxsize=1024)
def _normalize(name: bytes) -> bytes | None:
    """Return *name* in lower case, or None if it is no token (RFC 9110, 5.6.2)."""
    return name.lower() if _TOKEN.fullmatch(name) is not None else None


def _refuse(part: str) -> None:
    msg = f"the {part} of the request is invalid"
    raise httpx.LocalProtocolError(msg)
