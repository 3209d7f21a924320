"""Requests as bytes (RFC 9112, 3)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import httpx

__all__ = ("format_headers", "parse_headers", "write_request")

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET: Final = re.compile(rb"[!-~]+")
_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"
_FRAMING: Final = frozenset({_LENGTH, _ENCODING})
_HOST: Final = b"host"


def write_request(request: httpx.Request, content: bytes) -> bytes:
    """Return *request* with the body *content* as bytes.

    `Host` and `Content-Length` are added if they are missing. `Transfer-Encoding: chunked` becomes a body in
    chunks. Raise `httpx.LocalProtocolError` for a request that would mean something else on the connection.
    """
    method, target = request.method.encode("ascii", "replace"), request.url.raw_path
    if _normalize(method) is None or _TARGET.fullmatch(target) is None:
        _refuse("method or the target")
    headers = request.headers.raw
    names = {name.lower() for name, _ in headers}
    if _HOST not in names:
        headers = [*headers, (b"Host", request.url.netloc)]
    if _ENCODING in names or _LENGTH in names:
        _check_framing(headers, content)
    if _ENCODING in names:
        content = b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content) if content else b"0\r\n\r\n"
    elif content and _LENGTH not in names:
        headers = [*headers, (b"Content-Length", b"%d" % len(content))]
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, format_headers(headers), content)


def format_headers(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return *headers* as lines; raise `httpx.LocalProtocolError` for one that would be something else."""
    if None in [_normalize(name) for name, _ in headers]:
        _refuse("name of a header")
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if not lines.count(b"\r") == lines.count(b"\n") == len(headers) or b"\0" in lines:
        _refuse("value of a header")
    return lines


def parse_headers(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers in *lines*, which `format_headers` has written."""
    headers = [line.partition(b": ") for line in lines.split(b"\r\n")[:-1]]
    return [(name, value) for name, _, value in headers]


def _check_framing(headers: Sequence[tuple[bytes, bytes]], content: bytes) -> None:
    """Refuse headers by which the server would find another end of the body *content*."""
    framing = [(name.lower(), value) for name, value in headers if name.lower() in _FRAMING]
    if framing not in ([(_ENCODING, b"chunked")], [(_LENGTH, b"%d" % len(content))]):
        _refuse("Content-Length or Transfer-Encoding")


@lru_cache(maxsize=1024)
def _normalize(name: bytes) -> bytes | None:
    """Return *name* in lower case, or None if it is no token (RFC 9110, 5.6.2)."""
    return name.lower() if _TOKEN.fullmatch(name) is not None else None


def _refuse(part: str) -> None:
    msg = f"the {part} of the request is invalid"
    raise httpx.LocalProtocolError(msg)
