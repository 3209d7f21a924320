"""What those need who run the gateway: its health, and what problems mean."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gateway.api.endpoints.readiness import STOPPING, Health, Readiness
from gateway.api.openapi.document import failures
from gateway.api.problems import problem as problems
from gateway.api.problems.catalogue import CATALOGUE
from gateway.railway import NotFound

__all__ = ("ProblemKind", "router")


class _HealthResponse(JSONResponse):
    """Health, as the draft wants it sent."""

    media_type = "application/health+json"


class ProblemKind(TypedDict):
    """A kind of problem: the status it is sent with, and what a caller should know about it."""

    type: str
    title: str
    status: int
    code: str
    explanation: str


def _kind(code: str) -> ProblemKind:
    kind = CATALOGUE[code]
    return {
        "type": f"/problems/{code}",
        "title": kind.status.phrase,
        "status": kind.status,
        "code": code,
        "explanation": kind.explanation,
    }


_UNKNOWN: Final = NotFound("There is no problem of this name")
_EXAMPLE: Final = {
    "description": "The kind.",
    "content": {"application/json": {"example": _kind("not-found")}},
}
_TIME: Final = "2026-01-31T12:00:00+00:00"
_WARNING: Final[Health] = {
    "status": "warn",
    "checks": {
        "user": [
            {
                "status": "pass",
                "componentType": "system",
                "time": _TIME,
                "breaker": "closed",
                "optionalBreaker": "closed",
            }
        ],
        "inventory": [
            {
                "status": "fail",
                "componentType": "system",
                "time": _TIME,
                "breaker": "open",
                "optionalBreaker": "closed",
            }
        ],
    },
}


def router(readiness: Readiness) -> APIRouter:
    """Make the routes; *readiness* is what the server tells when it stops."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/health/live",
        summary="Is the process alive?",
        response_class=_HealthResponse,
        response_model=Health,
        responses={200: _health("The process is alive.", {"status": "pass"})},
    )
    async def get_liveness() -> Response:
        """Answer as long as the process can answer at all: restart it when this fails."""
        return _sent({"status": "pass"})

    @routes.get(
        "/health/ready",
        summary="Can the gateway serve?",
        response_class=_HealthResponse,
        response_model=Health,
        responses={
            200: _health("It can serve; `warn` if an upstream is in trouble.", _WARNING),
            503: _health("It is stopping.", STOPPING),
        },
    )
    async def get_readiness() -> Response:
        """Tell how the upstreams are. One in trouble is a warning; only a gateway that is stopping fails."""
        return _sent(await readiness.report())

    @routes.get(
        "/problems/{code}",
        summary="What does this problem mean?",
        response_model=ProblemKind,
        responses={
            200: {"content": {"application/json": {"example": _kind("not-found")}}},
            **failures(_UNKNOWN),
        },
    )
    async def get_problem(code: str, request: Request) -> Response:
        """Explain the kind of problem whose `type` is this address."""
        if code not in CATALOGUE:
            return problems.answer(_UNKNOWN, request.scope)
        return JSONResponse(_kind(code))

    return routes


def _sent(health: Health) -> _HealthResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if health["status"] == "fail" else HTTPStatus.OK
    return _HealthResponse(health, status, {"Cache-Control": "no-store"})


def _health(description: str, example: Health) -> dict[str, Any]:
    content = {"application/health+json": {"example": example}}
    return {"model": Health, "description": description, "content": content}
