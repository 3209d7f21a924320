"""GET /problems/{code}: an explanation of each problem type."""

from collections.abc import Iterable
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.openapi.responses import declare_failures
from gateway.api.problems import catalogue
from gateway.api.problems.own_errors import extend_catalogue
from gateway.api.problems.problem import build_problem_response
from gateway.api.problems.titles import find_title
from gateway.api.static_content import StaticContent, declare_static_responses
from gateway.railway import Failure, NotFound

__all__ = ("ProblemType", "build_router")

Code: TypeAlias = Annotated[str, Path(description="`code` of a problem.", examples=["not-found"])]

_UNKNOWN_CODE: Final = NotFound("No problem type has this code")


class ProblemType(TypedDict):
    """A problem type: its status, and an explanation for clients."""

    type: str
    title: str
    status: int
    code: str
    explanation: str


def build_router(own_errors: Iterable[type[Failure]], limit: InFlightLimit) -> APIRouter:
    """Return the router that explains each problem type of the catalogue, and each of *own_errors*.

    Its responses are sent within *limit*. Raise `RegistrationError` if an own error is unusable, as
    `extend_catalogue` does.
    """
    types = extend_catalogue(own_errors)
    contents = {code: _build_content(code, kind, limit) for code, kind in types.items()}
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/problems/{code}",
        summary="Explain a problem type",
        response_model=ProblemType,
        responses={
            200: {
                "description": "The problem type.",
                "content": {"application/json": {"example": _describe("not-found", types["not-found"])}},
            },
            **declare_failures("/problems/{code}", _UNKNOWN_CODE),
            **declare_static_responses("/problems/{code}"),
        },
    )
    async def get_problem(code: Code, request: Request) -> Response:
        """Return the explanation of a problem type. The `type` of a problem is the path to request."""
        if code not in contents:
            return build_problem_response(_UNKNOWN_CODE, request.scope)
        return contents[code].respond(request)

    return routes


def _build_content(code: str, kind: catalogue.ProblemType, limit: InFlightLimit) -> StaticContent:
    def build(prefix: str) -> bytes:
        return bytes(JSONResponse(_describe(code, kind, prefix)).body)

    return StaticContent(build, "application/json", limit)


def _describe(code: str, kind: catalogue.ProblemType, prefix: str = "") -> ProblemType:
    return {
        "type": f"{prefix}/problems/{code}",
        "title": find_title(kind.status),
        "status": kind.status,
        "code": code,
        "explanation": kind.explanation,
    }
