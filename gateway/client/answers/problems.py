"""Problems in refusals: their details and members, and the failures that a call declares for them."""

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast, final

import httpx
from pydantic import TypeAdapter
from pydantic_core import to_json

from gateway.client.answers.body import read_body
from gateway.client.answers.pages import PAGE, begins_like_page
from gateway.client.answers.refusals import list_media_types
from gateway.client.answers.validation import AnswerValidator
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.http1 import ReceivedResponse
from gateway.observability.reason import Reason, log_exception
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

__all__ = ("ReadError", "ServiceProblem", "adapt_error", "build_refusal", "read_problem")

_log: Final = logging.getLogger("gateway.client")

ReadError: TypeAlias = Callable[[object], str | None]
"""Function that returns the detail in the parsed JSON of a refusal; None if there is none."""

E = TypeVar("E", bound=Fault)

_MAX_DETAIL_LENGTH: Final = 200
_OBJECT: Final = AnswerValidator(TypeAdapter(dict[str, object]))
_ANY_JSON: Final = AnswerValidator(TypeAdapter[object](object))


@final
@dataclass(frozen=True, slots=True)
class ServiceProblem:
    """Problem that a service has sent: its *detail*, "" if callers get none, and all its *members*."""

    detail: str = ""
    members: Mapping[str, object] = field(default_factory=dict[str, object])


def read_problem(
    response: ReceivedResponse,
    read_error: ReadError | None,
    limit: int,
    *,
    allows_page: bool,
) -> Result[ServiceProblem, Reason]:
    """Return the 4xx problem in *response*; its detail is a line of at most 200 characters.

    A body of more than *limit* bytes is not read. An HTML page is an error unless *allows_page*, whatever
    the media type is.

    The body is a problem if its type is `application/problem+json` (RFC 9457). For any other JSON,
    *read_error* returns the detail, and there are no members; an exception in *read_error* is logged, not
    raised. Return a problem without detail and members for any other status or body. Raise the exception that
    has cut the body short, if any.
    """
    body = read_body(response, limit)
    if not allows_page and isinstance(body, Ok) and begins_like_page(body.value):
        return Err(PAGE)
    if not response.is_client_error:
        return Ok(ServiceProblem())
    return Ok(_read_client_error(response, body, read_error))


def build_refusal(
    kind: type[E], problem: ServiceProblem, response: httpx.Response, name: str
) -> Result[E, Reason]:
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


def _read_client_error(
    response: httpx.Response, body: Result[bytes, Reason], read_error: ReadError | None
) -> ServiceProblem:
    if list_media_types(response) == ["application/problem+json"]:
        members = body.bind(_OBJECT).value_or(dict[str, object]())
        detail = members.get("detail")
        return ServiceProblem(
            sanitize_text(detail, _MAX_DETAIL_LENGTH) if isinstance(detail, str) else "", members
        )
    if read_error is None:
        return ServiceProblem()
    match body.bind(_ANY_JSON):
        case Ok(value):
            return ServiceProblem(_apply(read_error, value))
        case Err():
            return ServiceProblem()


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
    except Exception as error:  # noqa: BLE001 - logged: the call has failed already, and needs no detail
        log_exception(_log, error, "read_error raised an exception; the detail of the error is left out")
        return ""


def _read_members(kind: type[Fault], found: Mapping[str, object]) -> Result[dict[str, Any], Reason]:
    """Return the members of the own error *kind*, or the reason why those that were *found* are unusable."""
    if not (names := list_members(kind)):
        return Ok({})
    given = to_json({name: _sanitize(found[name]) for name in names if name in found})
    return (
        # Sound: every class is hashable, which mypy does not see for `cache`.
        _build_error_validator(cast("Hashable", get_defining_class(kind)))(given)
        .map(lambda error: {name: getattr(error, name) for name in names})
        .map_error(lambda reason: replace(reason, summary=f"unusable members of a problem: {reason.summary}"))
    )


@cache
def _adapt(kind: Hashable) -> TypeAdapter[object]:
    return TypeAdapter(cast("type[object]", kind))


@cache
def _build_error_validator(kind: Hashable) -> AnswerValidator[object]:
    return AnswerValidator(_adapt(kind), strict=True)


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
