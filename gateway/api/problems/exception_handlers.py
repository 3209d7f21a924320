"""Exceptions as answers: the one place where they end."""

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.api.allowed_methods import allowed
from gateway.api.pipeline_route.headers import path, request_id
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import ProblemResponse, answer, plain
from gateway.api.problems.refusal import Refusal
from gateway.api.problems.violations import invalid
from gateway.railway import Unexpected

__all__ = ("answered",)

_log: Final = logging.getLogger(__name__)

_CODES: Final[Mapping[int, str]] = {kind.status: code for code, kind in reversed([*CATALOGUE.items()])}
"""The code of a status that somebody else raised: the first that the catalogue has for it."""


def answered(error: Exception, scope: Scope) -> ProblemResponse:
    """Make the answer to the request with this ASGI *scope*, which ended in *error*.

    What nobody foresaw is a 500: it is logged with its traceback, and all that the answer has of it is the
    fault id under which it stands in the log.
    """
    match error:
        case Refusal():
            return _refused(error, error.code, scope)
        case HTTPException(status_code=HTTPStatus.NOT_FOUND, detail=HTTPStatus.NOT_FOUND.phrase):
            refusal = Refusal(code="route-not-found", detail="There is nothing at this address")
            return answered(refusal, scope)
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            detail = "This address does not know the method"
            allow = {"Allow": ", ".join(allowed(scope))}
            return answered(Refusal(code="method-not-allowed", detail=detail, headers=allow), scope)
        case HTTPException():
            return _refused(error, _CODES.get(error.status_code), scope)
        case RequestValidationError():
            return _not_valid(error, scope)
        case _:
            fault = uuid.uuid4().hex
            _log.error("fault %s in request %s", fault, request_id(scope), exc_info=error)
            return answer(Unexpected(fault=fault), scope)


def _refused(error: HTTPException, code: str | None, scope: Scope) -> ProblemResponse:
    status = HTTPStatus(error.status_code)
    # A status without a kind of its own says all there is to say (RFC 9457, 4.2.1).
    problem = plain(
        code or status.phrase.lower().replace(" ", "-"),
        error.detail,
        status=status,
        instance=path(scope),
        request_id=request_id(scope),
    )
    if code is None:
        problem["type"] = "about:blank"
    return ProblemResponse(problem, error.headers or {})


def _not_valid(error: RequestValidationError, scope: Scope) -> ProblemResponse:
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        return answered(Refusal(code="malformed", detail="The body is not JSON"), scope)
    return answer(invalid(errors, skip=1), scope)
