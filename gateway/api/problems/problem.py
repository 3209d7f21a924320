"""Failures as problem responses (RFC 9457): status, headers and body."""

import json
import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal, NotRequired, assert_never, cast, final

from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.path_prefix import encode_path, get_prefix
from gateway.api.problems.titles import find_title
from gateway.api.request_scope import get_request_id
from gateway.client.answers.problems import adapt_error
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Failure,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    list_members,
)

__all__ = (
    "AggregateProblem",
    "Part",
    "Problem",
    "ProblemResponse",
    "Violation",
    "build_headers",
    "build_plain_problem",
    "build_problem",
    "build_problem_response",
    "map_to_status",
)

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_RETRYABLE: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Violation(TypedDict):
    """Errors of a field: a dotted path in the body, a path parameter, or `""` for the whole request.

    *item* is the position of an item of a list, from 0, if the violations of several items are listed.
    """

    field: str
    messages: list[str]
    item: NotRequired[int]


class Part(TypedDict):
    """Failure of a call in an aggregate; an error with a code of its own can have more members.

    *item* is the position, from 0, of the item of a list for which the call was made.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    source: NotRequired[str]
    item: NotRequired[int]
    violations: NotRequired[list[Violation]]


class Problem(TypedDict):
    """Problem of a request with a single failure.

    *item* is the position, from 0, of the item of a list for which the failed call was made.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    source: NotRequired[str]
    item: NotRequired[int]
    violations: NotRequired[list[Violation]]
    request_id: str
    execution_id: NotRequired[str]


class AggregateProblem(TypedDict):
    """Problem of a request in which several calls failed; no part of it is a success."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: Literal["aggregate"]
    completed: Literal[False]
    errors: list[Part]
    request_id: str
    execution_id: NotRequired[str]


@final
class ProblemResponse(Response):
    """Response with a problem as its body; it must not be cached."""

    media_type = "application/problem+json"

    def __init__(self, body: Problem | AggregateProblem, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(
            json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            status_code=body["status"],
            # Without this header, a cache may store a 404, 405 or 410 for as long as it likes:
            # https://www.rfc-editor.org/rfc/rfc9110#section-15.1
            headers={"Cache-Control": "no-store", **headers},
        )


def map_to_status(failure: Failure) -> HTTPStatus:  # noqa: C901, PLR0911, PLR0912 - one arm for each failure
    """Return the HTTP status for *failure*.

    An aggregate of client errors only is 207; any other aggregate has the highest 5xx among its errors.
    """
    match failure:
        case Invalid():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case Unauthorized():
            return HTTPStatus.UNAUTHORIZED
        case Forbidden():
            return HTTPStatus.FORBIDDEN
        case NotFound():
            return HTTPStatus.NOT_FOUND
        case Conflict():
            return HTTPStatus.CONFLICT
        case Gone():
            return HTTPStatus.GONE
        case PreconditionFailed():
            return HTTPStatus.PRECONDITION_FAILED
        case RateLimited():
            return HTTPStatus.TOO_MANY_REQUESTS
        case Unexpected() | Stuck():
            return HTTPStatus.INTERNAL_SERVER_ERROR
        case BadAnswer():
            return HTTPStatus.BAD_GATEWAY
        case Unavailable():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case TimedOut():
            return HTTPStatus.GATEWAY_TIMEOUT
        case Aggregate(errors=errors):
            worst = max(map(map_to_status, errors))
            return worst if worst >= HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.MULTI_STATUS
        case _:
            assert_never(failure)


def build_plain_problem(  # noqa: PLR0913 - the members, by keyword
    code: str, detail: str, *, status: HTTPStatus, instance: str, request_id: str, prefix: str = ""
) -> Problem:
    """Return a problem with the members that every problem has; *prefix* is that of its `type`, a path."""
    return {
        "type": f"{prefix}/problems/{code}",
        "title": find_title(status),
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
    }


def build_problem(
    failure: Failure, *, instance: str, request_id: str, prefix: str = ""
) -> Problem | AggregateProblem:
    """Return the problem for a *failure* of the request with this *request_id*, to the path *instance*.

    *prefix* is the path prefix of each `type`.
    """
    if isinstance(failure, Aggregate):
        return _build_aggregate(failure, instance, request_id, prefix)
    status, detail = map_to_status(failure), _describe(failure)
    problem = build_plain_problem(
        failure.code, detail, status=status, instance=instance, request_id=request_id, prefix=prefix
    )
    if failure.source is not None:
        problem["source"] = failure.source
    if failure.item is not None:
        problem["item"] = failure.item
    if isinstance(failure, Invalid):
        problem["violations"] = _list_violations(failure)
    problem.update(cast("Problem", _dump_members(failure)))
    return problem


def build_headers(failure: Failure) -> Mapping[str, str]:
    """Return the headers that only the problem for *failure* has, besides the headers of every problem.

    They are `WWW-Authenticate` for 401 (RFC 9110, 11.6.1), and `Retry-After` for 429 and 503 if a delay is
    known. The delay is in whole seconds, for an aggregate the longest delay of its errors.
    """
    if isinstance(failure, Unauthorized):
        return {"WWW-Authenticate": failure.scheme}
    delays = [*_list_retry_delays(failure)] if map_to_status(failure) in _RETRYABLE else []
    return {"Retry-After": str(math.ceil(max(delays)))} if delays else _NO_HEADERS


def build_problem_response(
    failure: Failure, scope: Scope, execution_id: str | None = None
) -> ProblemResponse:
    """Return the response for a *failure* of the request with this ASGI *scope*.

    *execution_id* is part of the problem if the request failed after its commit had begun.
    """
    body = build_problem(
        failure, instance=encode_path(scope), request_id=get_request_id(scope), prefix=get_prefix(scope)
    )
    if execution_id is not None:
        body["execution_id"] = execution_id
    return ProblemResponse(body, build_headers(failure))


def _build_aggregate(failure: Aggregate, instance: str, request_id: str, prefix: str) -> AggregateProblem:
    status = map_to_status(failure)
    return {
        "type": f"{prefix}/problems/aggregate",
        "title": find_title(status),
        "status": status,
        "detail": failure.detail,
        "instance": instance,
        "code": "aggregate",
        "completed": False,
        "errors": [_build_part(fault, prefix) for fault in failure.errors],
        "request_id": request_id,
    }


def _build_part(fault: Fault, prefix: str) -> Part:
    status = map_to_status(fault)
    part: Part = {
        "type": f"{prefix}/problems/{fault.code}",
        "title": find_title(status),
        "status": status,
        "detail": _describe(fault),
        "code": fault.code,
    }
    if fault.source is not None:
        part["source"] = fault.source
    if fault.item is not None:
        part["item"] = fault.item
    if isinstance(fault, Invalid):
        part["violations"] = _list_violations(fault)
    part.update(cast("Part", _dump_members(fault)))
    return part


def _dump_members(fault: Fault) -> Mapping[str, Any]:
    """Return the members that an own error adds to its problem, as JSON values (RFC 9457, 3.2)."""
    if not (names := list_members(type(fault))):
        return {}
    dumped: Mapping[str, Any] = adapt_error(type(fault)).dump_python(fault, mode="json", include={*names})
    return dumped


def _describe(fault: Fault) -> str:
    if isinstance(fault, Unexpected):
        return f"Internal error; the gateway's log has the cause under fault id {fault.fault}"
    return fault.detail or find_title(map_to_status(fault))


def _list_violations(invalid: Invalid) -> list[Violation]:
    listed: list[Violation] = [
        {"field": field, "messages": [*messages]} for field, messages in invalid.violations
    ]
    for violation, item in zip(listed, invalid.items, strict=False):
        if item is not None:
            violation["item"] = item
    return listed


def _list_retry_delays(failure: Failure) -> Iterator[float]:
    for fault in failure.errors if isinstance(failure, Aggregate) else (failure,):
        if isinstance(fault, RateLimited | Unavailable) and fault.retry_after is not None:
            yield fault.retry_after
