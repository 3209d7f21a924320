"""GET /health/live and /health/ready (https://inadarei.github.io/rfc-healthcheck/)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from gateway.api.endpoints.readiness import STOPPING, Breakers, Check, Health, Readiness

__all__ = ("build_router",)

_TIME: Final = "2026-01-31T12:00:00+00:00"
_CLOSED: Final[Breakers] = {"host": "closed", "operations": {}}
_HEALTHY: Final[Check] = {
    "status": "pass",
    "componentType": "system",
    "time": _TIME,
    "breaker": "closed",
    "optionalBreaker": "closed",
    "breakers": _CLOSED,
    "optionalBreakers": _CLOSED,
}
_FAILING: Final[Check] = {
    **_HEALTHY,
    "status": "fail",
    "breaker": "open",
    "breakers": {"host": "open", "operations": {}},
}


class _HealthResponse(JSONResponse):
    media_type = "application/health+json"


def build_router(readiness: Readiness) -> APIRouter:
    """Return the router; *readiness* reports the health of the services."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/health/live",
        summary="Check liveness",
        response_class=_HealthResponse,
        response_model=Health,
        responses={200: _document("The process is alive.", {"status": "pass"})},
    )
    async def get_liveness() -> Response:
        """Return `pass` as long as the process can respond; restart the process if this fails."""
        return _build_response({"status": "pass"})

    @routes.get(
        "/health/ready",
        summary="Check readiness",
        response_class=_HealthResponse,
        response_model=Health,
        responses={
            200: _document(
                "The gateway is ready; `warn` if a service is failing.", _build_example(readiness.names)
            ),
            503: _document("The gateway is stopping.", STOPPING),
        },
    )
    async def get_readiness() -> Response:
        """Return the status of the gateway and its services. A failing service is only a warning."""
        return _build_response(await readiness.report())

    return routes


def _build_example(services: Sequence[str]) -> Health:
    """Return an example with the first two services, of which the last fails."""
    if not services:
        return {"status": "pass"}
    *healthy, failing = services[:2]
    return {"status": "warn", "checks": {**{name: [_HEALTHY] for name in healthy}, failing: [_FAILING]}}


def _build_response(health: Health) -> _HealthResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if health["status"] == "fail" else HTTPStatus.OK
    return _HealthResponse(health, status, {"Cache-Control": "no-store"})


def _document(description: str, example: Health) -> dict[str, Any]:
    content = {"application/health+json": {"example": example}}
    return {"model": Health, "description": description, "content": content}
