"""Exceptions as problem responses."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, final

from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from gateway.api.allowed_methods import list_allowed_methods
from gateway.api.path_prefix import encode_path, get_prefix
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import ProblemResponse, build_plain_problem, build_problem_response
from gateway.api.problems.refusal import NO_ENDPOINT, Refusal
from gateway.api.problems.titles import find_title, replace_phrase
from gateway.api.problems.violations import NOT_JSON, build_invalid
from gateway.api.request_scope import describe_caller, get_request_id
from gateway.railway import Unexpected

__all__ = ("build_exception_response", "remember_response")

_log: Final = logging.getLogger(__name__)

_CODES: Final[Mapping[int, str]] = {kind.status: code for code, kind in reversed([*CATALOGUE.items()])}
"""The code for the status of an `HTTPException`: the first in the catalogue with this status."""

_HANDLED: Final = "handled"
_KEPT: Final = ("Server-Timing", "Timing-Allow-Origin", "RateLimit-Policy", "RateLimit")
"""Headers of the response of a pipeline that its problems keep."""


@final
@dataclass(frozen=True, slots=True)
class _Handled:
    """The *response* of a route, which it built for *error*; None for a success."""

    error: Exception | None
    response: Response


def build_exception_response(error: Exception, scope: Scope, execution_id: str | None = None) -> Response:
    """Return the response for *error*, raised in the request with this ASGI *scope*.

    An unhandled exception is a 500: it is logged with its traceback, and the problem contains only the fault
    id of the log entry.
    """
    handled: _Handled | None = scope["state"].get(_HANDLED)
    if handled is None:
        return _build_response(error, scope, execution_id)
    if error is handled.error:
        return handled.response
    response = _build_response(error, scope, execution_id)
    kept = {name: handled.response.headers[name] for name in _KEPT if name in handled.response.headers}
    response.headers.update({**kept, "Gateway-Completed": "false"})
    return response


def remember_response(scope: Scope, error: Exception | None, response: Response) -> None:
    """Remember the *response* of a route for `build_exception_response`.

    FastAPI passes the *error* (None after a success) on to the dependencies with `yield`, which may raise
    another one.
    """
    scope["state"][_HANDLED] = _Handled(error, response)


def _build_response(error: Exception, scope: Scope, execution_id: str | None) -> Response:
    match error:
        case Refusal():
            return _build_refusal_response(error, error.code, scope)
        case HTTPException(status_code=HTTPStatus.NOT_FOUND, detail=HTTPStatus.NOT_FOUND.phrase) if (
            "route" not in scope
        ):
            refusal = Refusal(code="route-not-found", detail=NO_ENDPOINT)
            return _build_response(refusal, scope, None)
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            # Starlette's `Allow` has only the methods of the first route with this path; all are required:
            # https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6
            detail = "This path does not support the method; the header Allow lists the supported methods"
            allow = {"Allow": ", ".join(list_allowed_methods(scope))}
            refusal = Refusal(code="method-not-allowed", detail=detail, headers=allow)
            return _build_response(refusal, scope, None)
        case HTTPException():
            return _build_refusal_response(error, _CODES.get(error.status_code), scope)
        case RequestValidationError():
            return _build_validation_response(error, scope)
        case _:
            fault = uuid.uuid4().hex
            _log.error(
                "unexpected exception, fault id %s, request %s%s",
                fault,
                get_request_id(scope),
                describe_caller(scope),
                exc_info=error,
            )
            return build_problem_response(Unexpected(fault=fault), scope, execution_id)


def _build_refusal_response(error: HTTPException, code: str | None, scope: Scope) -> ProblemResponse:
    status = HTTPStatus(error.status_code)
    problem = build_plain_problem(
        code or find_title(status).lower().replace(" ", "-"),
        replace_phrase(_describe(error.detail), status),
        status=status,
        instance=encode_path(scope),
        request_id=get_request_id(scope),
        prefix=get_prefix(scope),
    )
    if code is None:  # the status explains itself (RFC 9457, 4.2.1)
        problem["type"] = "about:blank"
    return ProblemResponse(problem, error.headers or {})


def _describe(detail: object) -> str:
    """Return *detail* as text: FastAPI allows any JSON value, a problem (RFC 9457) only a string."""
    return detail if isinstance(detail, str) else to_json(detail).decode()


def _build_validation_response(error: RequestValidationError, scope: Scope) -> Response:
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        return _build_response(Refusal(code="malformed", detail=NOT_JSON), scope, None)
    return build_problem_response(build_invalid(errors, skip=1), scope)
