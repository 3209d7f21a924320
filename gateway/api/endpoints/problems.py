"""GET /problems/{code}: an explanation of each problem type."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.openapi.responses import declare_failures
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import build_problem_response
from gateway.railway import NotFound

__all__ = ("ProblemType", "build_router")

_UNKNOWN_CODE: Final = NotFound("No problem type has this code")


class ProblemType(TypedDict):
    """A problem type: its status, and an explanation for clients."""

    type: str
    title: str
    status: int
    code: str
    explanation: str


def build_router() -> APIRouter:
    """Return the router that explains each problem type of the catalogue."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/problems/{code}",
        summary="Explain a problem type",
        response_model=ProblemType,
        responses={
            200: {
                "description": "The problem type.",
                "content": {"application/json": {"example": _build_problem_type("not-found")}},
            },
            **declare_failures("/problems/{code}", _UNKNOWN_CODE),
        },
    )
    async def get_problem(code: str, request: Request) -> Response:
        """Return the explanation of a problem type. The `type` of a problem is the path to request."""
        if code not in CATALOGUE:
            return build_problem_response(_UNKNOWN_CODE, request.scope)
        return JSONResponse(_build_problem_type(code))

    return routes


def _build_problem_type(code: str) -> ProblemType:
    kind = CATALOGUE[code]
    return {
        "type": f"/problems/{code}",
        "title": kind.status.phrase,
        "status": kind.status,
        "code": code,
        "explanation": kind.explanation,
    }
