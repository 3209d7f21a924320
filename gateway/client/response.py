"""Readers of a service's response: its value, its detail, and the failure that a call declares for it."""

import logging
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast, final

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from gateway.client.operations.conventions import ReadError
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.railway import (
    BadAnswer,
    Err,
    Failure,
    Fault,
    Invalid,
    Ok,
    RateLimited,
    Result,
    TimedOut,
    Unavailable,
    Unexpected,
    get_defining_class,
    list_members,
)

__all__ = ("ServiceProblem", "adapt_error", "build_refusal", "read_empty", "read_problem", "read_value")

_log: Final = logging.getLogger("gateway.client")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_MAX_BODY_BYTES: Final = 1_048_576
_MAX_DETAIL_LENGTH: Final = 200
_MAX_ERRORS_SHOWN: Final = 3
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([^\s;"']*)""", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


_OBJECT: Final = TypeAdapter(dict[str, object])
_ANY_JSON: Final = TypeAdapter[object](object)


@final
@dataclass(frozen=True, slots=True)
class ServiceProblem:
    """Problem that a service has sent: its *detail*, "" if callers get none, and all its *members*."""

    detail: str = ""
    members: Mapping[str, object] = field(default_factory=dict[str, object])


async def read_value(answer: TypeAdapter[T], response: httpx.Response) -> Result[T, str]:
    """Return the value of the body, or the reason why the body is unusable.

    A body is unusable if it has a `Content-Encoding`, a charset other than UTF-8 (RFC 8259, 8.1) or more than
    1 MiB. Its media type is ignored, since parsing shows whether it is JSON. A 204 (No Content) counts as
    JSON's `null`.
    """
    if response.status_code == HTTPStatus.NO_CONTENT:
        return _parse(answer, b"null")
    return (await _read_body(response)).bind(partial(_parse, answer))


async def read_empty(response: httpx.Response) -> Result[None, str]:
    """Return None if the body is empty or any JSON, else the reason why the body is unusable.

    A body that is not JSON, such as the HTML page of a proxy, may not come from the service. Then the service
    may not have received the request.
    """
    return (await _read_body(response)).bind(_parse_empty)


async def read_problem(response: httpx.Response, read_error: ReadError | None) -> ServiceProblem:
    """Return the 4xx problem in *response*; its detail is a line of at most 200 characters.

    The body is a problem if its type is `application/problem+json` (RFC 9457). For any other JSON,
    *read_error* returns the detail, and there are no members; an exception in *read_error* is logged, not
    raised. Return a problem without detail and members for any other status or body.
    """
    if not response.is_client_error:
        return ServiceProblem()
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() == "application/problem+json":
        members = (await read_value(_OBJECT, response)).value_or(dict[str, object]())
        detail = members.get("detail")
        return ServiceProblem(
            sanitize_text(detail, _MAX_DETAIL_LENGTH) if isinstance(detail, str) else "", members
        )
    if read_error is None:
        return ServiceProblem()
    match await read_value(_ANY_JSON, response):
        case Ok(body):
            return ServiceProblem(_apply(read_error, body))
        case Err():
            return ServiceProblem()


def build_refusal(
    kind: type[E], problem: ServiceProblem, response: httpx.Response, name: str
) -> Result[E, str]:
    """Build the failure of class *kind* that the call *name* declares for the status of *response*.

    The detail of *problem* is replaced by a generic detail if it is empty, or if *kind* is a 5xx failure. The
    members of an own error come from *problem*; its texts are sanitized like a detail. An `Invalid` gets the
    detail as its violation; a `RateLimited` or `Unavailable` gets the `Retry-After` of *response*.

    Return the reason if a member without default is missing, or if a member is invalid.
    """
    detail = problem.detail
    if not detail or issubclass(kind, (BadAnswer, TimedOut, Unavailable, Unexpected)):
        detail = f"{name} was refused: {kind.code.replace('-', ' ')}"

    def build(members: dict[str, Any]) -> E:
        return _complete(kind(detail, source=name, **members), response)

    # Sound: every E is a `Fault`, which mypy does not infer for the class.
    return _read_members(cast("type[Fault]", kind), problem.members).map(build)


def adapt_error(kind: type[Failure]) -> TypeAdapter[object]:
    """Return the type of an own error with its members, built once for each class."""
    # Sound: every class is hashable, which mypy does not see for `cache`.
    return _adapt(cast("Hashable", get_defining_class(kind)))


def _complete(error: E, response: httpx.Response) -> E:
    if isinstance(error, Invalid) and not error.violations:
        return replace(error, violations=(("", (error.detail,)),))
    if isinstance(error, RateLimited | Unavailable):
        after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        return replace(error, retry_after=after)
    return error


def _apply(read_error: ReadError, body: object) -> str:
    try:
        return sanitize_text(read_error(body) or "", _MAX_DETAIL_LENGTH)
    except Exception:  # noqa: BLE001 - logged: the call has failed already, and needs no detail
        _log.exception("read_error raised an exception; the detail of the error is left out")
        return ""


def _read_members(kind: type[Fault], found: Mapping[str, object]) -> Result[dict[str, Any], str]:
    """Return the members of the own error *kind*, or the reason why those that were *found* are unusable."""
    if not (names := list_members(kind)):
        return Ok({})
    given = to_json({name: _sanitize(found[name]) for name in names if name in found})
    try:
        error = adapt_error(kind).validate_json(given, strict=True)
    except ValidationError as invalid:
        return Err(f"unusable members of a problem: {_describe_errors(invalid)}")
    return Ok({name: getattr(error, name) for name in names})


@cache
def _adapt(kind: Hashable) -> TypeAdapter[object]:
    return TypeAdapter(cast("type[object]", kind))


def _sanitize(value: object) -> object:
    """Return the JSON *value* with its texts sanitized, except the keys of objects."""
    match value:
        case str():
            return sanitize_text(value, _MAX_DETAIL_LENGTH)
        case list():
            return [_sanitize(item) for item in cast("list[object]", value)]
        case dict():
            return {key: _sanitize(item) for key, item in cast("dict[str, object]", value).items()}
        case _:
            return value


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
