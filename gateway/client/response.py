"""What a service's answer says."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar, cast

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.railway import (
    BadAnswer,
    Err,
    Fault,
    Invalid,
    Ok,
    RateLimited,
    Result,
    TimedOut,
    Unavailable,
    Unexpected,
)

__all__ = ("MAX_BYTES", "read_detail", "read_empty", "read_value", "refusal")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

MAX_BYTES: Final = 1_048_576
"""A longer body is not read."""

_DETAIL_LIMIT: Final = 200
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_SHOWN: Final = 3


class _Problem(BaseModel):
    detail: str


_PROBLEM: Final = TypeAdapter(_Problem)
_ANYTHING: Final = TypeAdapter[object](object)


async def read_value(answer: TypeAdapter[T], response: httpx.Response) -> Result[T, str]:
    """Give the value of an *answer*, or say why there is none.

    A `Content-Type` need not call it JSON: what it is shows when it is parsed. But it is not decoded from
    anything else (no `Content-Encoding`, no other charset than UTF-8, which is JSON's: RFC 8259, 8.1),
    nor read beyond `MAX_BYTES`.
    """
    return (await _body_of(response)).bind(partial(_parsed, answer))


async def read_empty(response: httpx.Response) -> Result[None, str]:
    """Give the value of an answer whose status says all: it has no body, or any JSON.

    Anything else (the page of a proxy, say) does not come from the service, which then has not been asked.
    """
    return (await _body_of(response)).bind(_nothing)


async def read_detail(response: httpx.Response) -> str:
    """Give what a refusal says for its caller: one line, of 200 characters at most, or nothing.

    Only `application/problem+json` (RFC 9457) is meant for callers.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if not response.is_client_error or media_type.strip().lower() != "application/problem+json":
        return ""
    return sanitize_text((await read_value(_PROBLEM, response)).map(_detail).value_or(""), _DETAIL_LIMIT)


def _detail(problem: _Problem) -> str:
    return problem.detail


def refusal(kind: type[E], detail: str, response: httpx.Response, name: str) -> E:
    """Make the error *kind* of a declared status."""
    if not detail or issubclass(kind, (BadAnswer, TimedOut, Unavailable, Unexpected)):
        detail = f"{name} was refused: {kind.code.replace('-', ' ')}"
    error = kind(detail, source=name)
    if isinstance(error, Invalid):
        return replace(error, violations=(("", (detail,)),))
    if isinstance(error, RateLimited | Unavailable):
        after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        return replace(error, retry_after=after)
    return error


def _parsed(answer: TypeAdapter[T], body: bytes) -> Result[T, str]:
    try:
        return Ok(answer.validate_json(body))
    except ValidationError as error:
        return Err(_what_is_wrong(error))


def _nothing(body: bytes) -> Result[None, str]:
    return _parsed(_ANYTHING, body).map(lambda _: None) if body else Ok(None)


async def _body_of(response: httpx.Response) -> Result[bytes, str]:
    headers = response.headers
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        return Err(f"Content-Encoding {coding}, which was not asked for")
    charset = _CHARSET.search(headers.get("content-type", ""))
    if charset and charset[1].lower() not in _UTF_8:
        return Err(f"charset {charset[1]}")
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > len(str(MAX_BYTES)) or int(length) > MAX_BYTES):
        return Err(f"a body of {length} bytes")
    return await _read(response)


async def _read(response: httpx.Response) -> Result[bytes, str]:
    # Straight from the stream, since nothing in it is to be decoded: `aiter_bytes` costs several times that.
    # Sound: an async transport answers with an async stream.
    body = bytearray()
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        body += chunk
        if len(body) > MAX_BYTES:
            return Err(f"a body of more than {MAX_BYTES} bytes")
    return Ok(bytes(body))


def _what_is_wrong(error: ValidationError) -> str:
    """Say why an answer does not validate, without the values in it, which may be anybody's."""
    wrong = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (_place(each["loc"]), each["msg"]))) for each in wrong[:_SHOWN])


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
