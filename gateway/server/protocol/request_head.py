"""Head of a request (RFC 9112, 3 and 5): its limits, and the form in which the parser reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

__all__ = (
    "MAX_FIELDS",
    "MAX_HEAD",
    "MAX_LINE",
    "NO_HEAD",
    "UNREADABLE",
    "RequestError",
    "RequestHead",
    "check_fields",
    "check_start",
    "prepare_head",
)

MAX_HEAD: Final = 32_768
"""Largest head: the request line and all headers, in bytes."""

MAX_LINE: Final = 16_384
"""Longest request line, in bytes; RFC 9112, 3 recommends at least 8000."""

MAX_FIELDS: Final = 256
"""Most headers."""

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
# The target has visible ASCII characters, but no fragment.
_REQUEST_LINE: Final = re.compile(
    rb"(?P<method>%b+) (?P<target>[!\x22$-~]+) HTTP/(?P<version>1\.[01])\r\n" % _TOKEN
)
_FIRST: Final = re.compile(_TOKEN)
_ABSOLUTE: Final = re.compile(rb"https?://(?P<authority>[^/?#@]+)(?P<rest>([/?].*)?)", re.IGNORECASE)
_HOST: Final = re.compile(rb"(?<=\r\n)host:[^\r\n]*", re.IGNORECASE)
_HOST_VALUE: Final = re.compile(rb"[^\s/?#@\\]*")
_UPGRADE: Final = re.compile(rb"(?<=\r\n)upgrade:[^\r\n]*\r\n", re.IGNORECASE)
_PARSED_METHODS: Final = frozenset(
    {b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE"}
)
_STAND_IN: Final = b"POST"

UNREADABLE: Final = "The request is not valid HTTP/1.1"
_BAD_LINE: Final = f"{UNREADABLE}: its request line must be a method, a path and HTTP/1.1"
_NOT_ONE_HOST: Final = f"{UNREADABLE}: it must have one valid Host header"
_NOT_CHUNKED: Final = f"{UNREADABLE}: its Transfer-Encoding must be chunked"
_LINE_TOO_LONG: Final = ("uri-too-long", f"The request line is longer than {MAX_LINE // 1024} KiB")
_HEAD_TOO_LARGE: Final = (
    "headers-too-large",
    f"The request has more than {MAX_HEAD // 1024} KiB of headers, or more than {MAX_FIELDS} of them",
)


@final
class RequestError(Exception):
    """A request that cannot be read; *code* is a key of the problem catalogue."""

    def __init__(self, code: str = "malformed", detail: str = UNREADABLE) -> None:
        super().__init__(detail)
        self.code: Final = code
        self.detail: Final = detail


@final
@dataclass(frozen=True, slots=True)
class RequestHead:
    """The *method* and the *version* (1.0 or 1.1) of a request, and its head as the parser reads it."""

    method: bytes
    version: bytes
    data: bytes


NO_HEAD: Final = RequestHead(b"", b"", b"")
"""Head of a connection that has not sent one yet."""


def check_start(start: bytes) -> None:
    """Raise `RequestError` if no valid head can begin with *start*, so that its end need not be awaited."""
    if b"\n" in start or len(start) >= MAX_LINE:
        _match_line(start)
    elif _FIRST.match(start) is None:
        raise RequestError(detail=_BAD_LINE)
    _check_size(start, start.count(b"\n") - 1)


def prepare_head(head: bytes) -> RequestHead:
    """Return *head*, which ends in an empty line, in the form that the parser reads.

    - The absolute form of the target becomes the origin form, and its authority the `Host` (RFC 9112, 3.2.2).
    - `Upgrade` is left out, since the gateway does not upgrade (RFC 9110, 7.8): the parser would take a body
      for another protocol (https://github.com/Kludex/uvicorn/issues/2722).
    - The parser refuses methods that it does not know, which are a 405: POST takes their place.

    Raise `RequestError` for a head over the limits, and for an invalid request line.
    """
    line = _match_line(head)
    _check_size(head, head.count(b"\n") - 2)
    method, target = line["method"], line["target"]
    data = head
    if not target.startswith(b"/") and (target, method) != (b"*", b"OPTIONS"):
        data = _write_origin_form(data, target)
    if method not in _PARSED_METHODS:
        data = _STAND_IN + data[len(method) :]
    if b"\r\nupgrade:" in data.lower():
        data = _UPGRADE.sub(b"", data)
    return RequestHead(method, line["version"], data)


def check_fields(fields: Sequence[tuple[bytes, bytes]], version: bytes) -> int | None:
    """Check the headers that the parser accepts in more forms; return the length of the body in bytes.

    The length is None for a chunked body. *fields* have names in lower case; *version* is 1.0 or 1.1.

    Raise `RequestError` unless there is one valid `Host`, which HTTP/1.0 does not require, and for any
    `Transfer-Encoding` other than `chunked` (RFC 9112, 3.2 and 6.1).
    """
    names = [name for name, _ in fields]
    hosts = names.count(b"host")
    if hosts > 1 or (hosts == 0 and version != b"1.0"):
        raise RequestError(detail=_NOT_ONE_HOST)
    if hosts and _HOST_VALUE.fullmatch(fields[names.index(b"host")][1]) is None:
        raise RequestError(detail=_NOT_ONE_HOST)
    if b"transfer-encoding" in names:
        codings = [value.strip().lower() for name, value in fields if name == b"transfer-encoding"]
        if codings != [b"chunked"] or version == b"1.0":
            raise RequestError(detail=_NOT_CHUNKED)
        return None
    return int(fields[names.index(b"content-length")][1]) if b"content-length" in names else 0


def _match_line(start: bytes) -> re.Match[bytes]:
    if start.find(b"\n", 0, MAX_LINE) < 0:
        raise RequestError(*_LINE_TOO_LONG)
    line = _REQUEST_LINE.match(start)
    if line is None:
        raise RequestError(detail=_BAD_LINE)
    return line


def _check_size(head: bytes, fields: int) -> None:
    if len(head) > MAX_HEAD or fields > MAX_FIELDS:
        raise RequestError(*_HEAD_TOO_LARGE)


def _write_origin_form(head: bytes, target: bytes) -> bytes:
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise RequestError(detail=_BAD_LINE)
    rest = absolute["rest"]
    origin_form = rest if rest.startswith(b"/") else b"/" + rest
    return _HOST.sub(lambda _: b"Host: " + absolute["authority"], head.replace(target, origin_form, 1))
