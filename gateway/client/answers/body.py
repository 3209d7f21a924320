"""Body of an answer: its bytes, without a byte order mark, within a limit."""

import re
from functools import partial
from http import HTTPStatus
from typing import Final

import httpx

from gateway.client.answers.content_coding import check_codings, decode_content, list_codings
from gateway.http1 import ReceivedResponse
from gateway.observability.reason import Reason
from gateway.railway import Err, Ok, Result

__all__ = (
    "MAX_ANSWER_BYTES",
    "check_headers",
    "is_without_content",
    "read_body",
    "replace_lone_surrogates",
)

MAX_ANSWER_BYTES: Final = 1_048_576
"""Default of the largest body that is read."""

_MAX_DIGITS: Final = 18
"""Digits of the largest `Content-Length` that is converted to a number."""

_WITHOUT_CONTENT: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CODING: Final = b"content-encoding"
_CHARSET: Final = re.compile(rb""";\s*charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF_8: Final = frozenset({b"", b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_LONE_SURROGATE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""A high surrogate without a low one after it, or a low one without a high one before it."""
_ESCAPED_BACKSLASH: Final = rb"\\"
_NUL: Final = b"\0"
"""A byte that JSON never contains."""


def is_without_content(response: httpx.Response) -> bool:
    """Return whether *response* has no content, by its status (RFC 9110, 15.3.5 and 15.3.6)."""
    return response.status_code in _WITHOUT_CONTENT


def check_headers(response: ReceivedResponse, limit: int) -> Reason | None:
    """Return the reason why the body of *response* is unusable, as far as its headers show, or None."""
    fields = response.fields
    length = fields.get(b"content-length", b"")
    if length.isdigit() and (len(length) > _MAX_DIGITS or int(length) > limit):
        return Reason(f"body over the limit of {limit} bytes", f"Content-Length {length.decode()}")
    return check_codings(list_codings(fields[_CODING])) if _CODING in fields else None


def read_body(response: ReceivedResponse, limit: int) -> Result[bytes, Reason]:
    """Return the body of *response* as UTF-8, or the reason why it is unusable.

    gzip and deflate are decoded, and a byte order mark is dropped (RFC 8259, 8.1). A body is unusable if it
    has another coding, more than *limit* bytes before or after decoding, or a charset other than UTF-8
    although it is not plain ASCII. Raise the exception that has cut the body short, if any.
    """
    if (reason := check_headers(response, limit)) is not None:
        return Err(reason)
    body, fields = response.body, response.fields
    if len(body) > limit:
        return Err(Reason(f"body over the limit of {limit} bytes"))
    if _CODING in fields:
        decoded = decode_content(body, list_codings(fields[_CODING]), limit)
        return decoded.bind(partial(_check_text, response))
    return _check_text(response, body)


def replace_lone_surrogates(body: bytes) -> bytes:
    r"""Return the JSON *body* with U+FFFD in place of each escape, such as `\ud800`, that is no character.

    A *body* with a NUL is not JSON and is returned as it is.
    """
    if _NUL in body:
        return body
    escapes = _LONE_SURROGATE.sub(rb"\\ufffd", body.replace(_ESCAPED_BACKSLASH, _NUL))
    return escapes.replace(_NUL, _ESCAPED_BACKSLASH)


def _check_text(response: ReceivedResponse, body: bytes) -> Result[bytes, Reason]:
    body = body.removeprefix(_BYTE_ORDER_MARK)
    charset = _CHARSET.search(response.fields.get(b"content-type", b""))
    if charset is None or charset[1].lower() in _UTF_8 or body.isascii():
        return Ok(body)
    return Err(Reason("unsupported charset", charset[1].decode("latin-1")))
