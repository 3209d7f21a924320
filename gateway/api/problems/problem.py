"""Failures as problems (RFC 9457): one exhaustive match, and the bytes of the answer."""

import json
import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Literal, NotRequired, assert_never, final

from starlette.responses import Response
from starlette.types import Scope
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gateway.api.pipeline_route.headers import path, request_id
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
    Violations,
)

__all__ = (
    "AggregateProblem",
    "Part",
    "Problem",
    "ProblemResponse",
    "Violation",
    "answer",
    "headers",
    "plain",
    "problem",
    "status",
)

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_WORTH_RETRYING: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Violation(TypedDict):
    """A field, by its dotted path in the body, and what is wrong with it."""

    field: str
    messages: list[str]


class Part(TypedDict):
    """What went wrong with one of several calls."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    source: NotRequired[str]
    violations: NotRequired[list[Violation]]


class Problem(TypedDict):
    """Why a request failed: one thing went wrong."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    source: NotRequired[str]
    violations: NotRequired[list[Violation]]
    request_id: str
    execution_id: NotRequired[str]


class AggregateProblem(TypedDict):
    """Why a request failed: several calls did, and none of the answer is a success."""

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
    """An answer that says what went wrong, and is not to be stored."""

    media_type = "application/problem+json"

    def __init__(self, body: Problem | AggregateProblem, headers: Mapping[str, str] = _NOTHING) -> None:
        super().__init__(
            json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            status_code=body["status"],
            headers={"Cache-Control": "no-store", **headers},
        )


def status(failure: Failure) -> HTTPStatus:  # noqa: C901, PLR0911, PLR0912 - one arm for each failure
    """Give the HTTP status that *failure* is sent with.

    An aggregate of client errors is 207; any fault on the server's side makes it the highest 5xx.
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
            worst = max(map(status, errors))
            return worst if worst >= HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.MULTI_STATUS
        case _:
            assert_never(failure)


def plain(code: str, detail: str, *, status: HTTPStatus, instance: str, request_id: str) -> Problem:
    """Make the problem that has nothing beyond what every problem has."""
    return {
        "type": f"/problems/{code}",
        "title": status.phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
    }


def problem(failure: Failure, *, instance: str, request_id: str) -> Problem | AggregateProblem:
    """Say what went wrong in the request for *instance*, a path, that is known as *request_id*."""
    if isinstance(failure, Aggregate):
        return _aggregate(failure, instance, request_id)
    said = plain(
        failure.code, _detail(failure), status=status(failure), instance=instance, request_id=request_id
    )
    if failure.source is not None:
        said["source"] = failure.source
    if isinstance(failure, Invalid):
        said["violations"] = _listed(failure.violations)
    return said


def headers(failure: Failure) -> Mapping[str, str]:
    """Give the headers that *failure* is sent with besides those of every problem.

    `WWW-Authenticate` with 401 (RFC 9110, 11.6.1); `Retry-After` with 429 and 503 where it is known, in whole
    seconds, the longest of the parts.
    """
    if isinstance(failure, Unauthorized):
        return {"WWW-Authenticate": failure.scheme}
    waits = [*_waits(failure)] if status(failure) in _WORTH_RETRYING else []
    return {"Retry-After": str(math.ceil(max(waits)))} if waits else _NOTHING


def answer(failure: Failure, scope: Scope) -> ProblemResponse:
    """Make the answer to the request with this ASGI *scope*, which came to *failure*.

    One that failed after its commit had begun has the id of the execution in its scope's state, and says it.
    """
    body = problem(failure, instance=path(scope), request_id=request_id(scope))
    if (execution_id := scope["state"].get("execution_id")) is not None:
        body["execution_id"] = execution_id
    return ProblemResponse(body, headers(failure))


def _aggregate(failure: Aggregate, instance: str, request_id: str) -> AggregateProblem:
    worst = status(failure)
    return {
        "type": "/problems/aggregate",
        "title": worst.phrase,
        "status": worst,
        "detail": failure.detail,
        "instance": instance,
        "code": "aggregate",
        "completed": False,
        "errors": [_part(fault) for fault in failure.errors],
        "request_id": request_id,
    }


def _part(fault: Fault) -> Part:
    code = status(fault)
    part: Part = {
        "type": f"/problems/{fault.code}",
        "title": code.phrase,
        "status": code,
        "detail": _detail(fault),
        "code": fault.code,
    }
    if fault.source is not None:
        part["source"] = fault.source
    if isinstance(fault, Invalid):
        part["violations"] = _listed(fault.violations)
    return part


def _detail(fault: Fault) -> str:
    if isinstance(fault, Unexpected):
        return f"Something went wrong in the gateway; its log has the reason under fault id {fault.fault}"
    return fault.detail or status(fault).phrase


def _listed(violations: Violations) -> list[Violation]:
    return [{"field": field, "messages": [*messages]} for field, messages in violations]


def _waits(failure: Failure) -> Iterator[float]:
    for fault in failure.errors if isinstance(failure, Aggregate) else (failure,):
        if isinstance(fault, RateLimited | Unavailable) and fault.retry_after is not None:
            yield fault.retry_after
