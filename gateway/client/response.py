"""Readers of a service's response: its value, its detail, and the failure that a call declares for it."""

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

__all__ = ("build_refusal", "read_detail", "read_empty", "read_value")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_MAX_BODY_BYTES: Final = 1_048_576
_MAX_DETAIL_LENGTH: Final = 200
_MAX_ERRORS_SHOWN: Final = 3
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class _Problem(BaseModel):
    detail: str


_PROBLEM: Final = TypeAdapter(_Problem)
_ANY_JSON: Final = TypeAdapter[object](object)


async def read_value(answer: TypeAdapter[T], response: httpx.Response) -> Result[T, str]:
    """Return the value of the body, or the reason why the body is unusable.

    A body is unusable if it has a `Content-Encoding`, a charset other than UTF-8 (RFC 8259, 8.1) or more than
    1 MiB. Its media type is ignored, since parsing shows whether it is JSON.
    """
    return (await _read_body(response)).bind(partial(_parse, answer))


async def read_empty(response: httpx.Response) -> Result[None, str]:
    """Return None if the body is empty or any JSON, else the reason why the body is unusable.

    A body that is not JSON, such as the HTML page of a proxy, may not come from the service. Then the service
    may not have received the request.
    """
    return (await _read_body(response)).bind(_parse_empty)


async def read_detail(response: httpx.Response) -> str:
    """Return the detail of a 4xx problem as a line of at most 200 characters.

    Return "" if there is no usable detail, for any other status, and for a body that is not
    `application/problem+json` (RFC 9457), which is not meant for callers.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if not response.is_client_error or media_type.strip().lower() != "application/problem+json":
        return ""
    detail = (await read_value(_PROBLEM, response)).map(lambda problem: problem.detail)
    return sanitize_text(detail.value_or(""), _MAX_DETAIL_LENGTH)


def build_refusal(kind: type[E], detail: str, response: httpx.Response, name: str) -> E:
    """Build the failure of class *kind* that the call *name* declares for the status of *response*.

    *detail* comes from the service. It is replaced by a generic detail if it is empty, or if *kind* is a 5xx
    failure. An `Invalid` gets the detail as its violation; a `RateLimited` or `Unavailable` gets the
    `Retry-After` of *response*.
    """
    if not detail or issubclass(kind, (BadAnswer, TimedOut, Unavailable, Unexpected)):
        detail = f"{name} was refused: {kind.code.replace('-', ' ')}"
    error = kind(detail, source=name)
    if isinstance(error, Invalid):
        return replace(error, violations=(("", (detail,)),))
    if isinstance(error, RateLimited | Unavailable):
        after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        return replace(error, retry_after=after)
    return error


def _parse(answer: TypeAdapter[T], body: bytes) -> Result[T, str]:
    try:
        return Ok(answer.validate_json(body))
    except ValidationError as error:
        return Err(_describe_errors(error))


def _parse_empty(body: bytes) -> Result[None, str]:
    return _parse(_ANY_JSON, body).map(lambda _: None) if body else Ok(None)


async def _read_body(response: httpx.Response) -> Result[bytes, str]:
    headers = response.headers
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        return Err(f"unsupported Content-Encoding {coding}")
    charset = _CHARSET.search(headers.get("content-type", ""))
    if charset and charset[1].lower() not in _UTF_8:
        return Err(f"unsupported charset {charset[1]}")
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > len(str(_MAX_BODY_BYTES)) or int(length) > _MAX_BODY_BYTES):
        return Err(f"body of {length} bytes, over the limit of {_MAX_BODY_BYTES}")
    return await _read_stream(response)


async def _read_stream(response: httpx.Response) -> Result[bytes, str]:
    # `aiter_bytes` costs several times as much, and nothing here needs decoding.
    # Sound: an async transport returns an async stream.
    body = bytearray()
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            return Err(f"body over the limit of {_MAX_BODY_BYTES} bytes")
    return Ok(bytes(body))


def _describe_errors(error: ValidationError) -> str:
    """Return the location and message of the first errors, without values, which may be personal data."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        ": ".join(filter(None, (_join_location(each["loc"]), each["msg"])))
        for each in errors[:_MAX_ERRORS_SHOWN]
    )


def _join_location(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))
