"""Body of an answer: its bytes, without a byte order mark, within a limit."""

import re
from http import HTTPStatus
from typing import Final, cast

import httpx

from gateway.client.answers.content_coding import check_codings, decode_content, list_codings
from gateway.observability.reason import Reason
from gateway.railway import Err, Ok, Result

__all__ = ("MAX_ANSWER_BYTES", "is_without_content", "read_body", "read_start", "replace_lone_surrogates")

MAX_ANSWER_BYTES: Final = 1_048_576
"""Default of the largest body that is read."""

_MAX_START_BYTES: Final = 1_024
_WITHOUT_CONTENT: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF_8: Final = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii"})
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATES: Final = re.compile(
    rb"(?P<others>(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})++)"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""A run of characters, other escapes and pairs of surrogates, which `others` has; or a lone surrogate."""


def is_without_content(response: httpx.Response) -> bool:
    """Return whether *response* has no content, by its status (RFC 9110, 15.3.5 and 15.3.6)."""
    return response.status_code in _WITHOUT_CONTENT


async def read_body(response: httpx.Response, limit: int) -> Result[bytes, Reason]:
    """Return the body of *response* as UTF-8, or the reason why it is unusable.

    gzip and deflate are decoded, and a byte order mark is dropped (RFC 8259, 8.1). A body is unusable if it
    has another coding, more than *limit* bytes before or after decoding, or a charset other than UTF-8
    although it is not plain ASCII.
    """
    codings = list_codings(response.headers.get("content-encoding", ""))
    if (reason := check_codings(codings)) is not None:
        return Err(reason)
    length = response.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > len(str(limit)) or int(length) > limit):
        return Err(Reason(f"body over the limit of {limit} bytes", f"Content-Length {length}"))
    body = await _read_stream(response, limit)
    if codings:
        body = body.bind(lambda encoded: decode_content(encoded, codings, limit))
    return body.bind(lambda decoded: _check_charset(response, decoded.removeprefix(_BYTE_ORDER_MARK)))


async def read_start(response: httpx.Response, limit: int) -> bytes:
    """Return the start of a body without white space before it.

    The rest is read too, so that the connection can be reused, unless the body has more than *limit* bytes.
    """
    start, length = b"", 0
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        if len(start) < _MAX_START_BYTES:
            start = (start + chunk).lstrip()[:_MAX_START_BYTES]
        length += len(chunk)
        if length > limit:
            break
    return start


def replace_lone_surrogates(body: bytes) -> bytes:
    r"""Return the JSON *body* with U+FFFD in place of each escape, such as `\ud800`, that is no character."""
    if _SURROGATE.search(body) is None:
        return body
    return _LONE_SURROGATES.sub(lambda found: found["others"] or rb"\ufffd", body)


def _check_charset(response: httpx.Response, body: bytes) -> Result[bytes, Reason]:
    charset = _CHARSET.search(response.headers.get("content-type", ""))
    if charset is None or charset[1].lower() in _UTF_8 or body.isascii():
        return Ok(body)
    return Err(Reason("unsupported charset", charset[1]))


async def _read_stream(response: httpx.Response, limit: int) -> Result[bytes, Reason]:
    # `aiter_bytes` costs several times as much, and nothing here needs decoding.
    # Sound: an async transport returns an async stream.
    body = bytearray()
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        body += chunk
        if len(body) > limit:
            return Err(Reason(f"body over the limit of {limit} bytes"))
    return Ok(bytes(body))
