"""GET /metrics (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.observability.metrics.registry import MetricsRegistry

__all__ = ("build_router",)

_EXAMPLE: Final = """\
# HELP gateway_requests_in_flight Requests for pipelines that are being handled
# TYPE gateway_requests_in_flight gauge
gateway_requests_in_flight 3.0
"""


def build_router(metrics: MetricsRegistry) -> APIRouter:
    """Return the router that serves *metrics*."""
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/metrics",
        summary="Read the metrics",
        response_class=Response,
        responses={
            200: {
                "description": "The metrics, as text for Prometheus.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
            }
        },
    )
    async def get_metrics(request: Request) -> Response:
        """Return the metrics of the gateway, at most 0.2 seconds old, for Prometheus.

        With `Accept: application/openmetrics-text`, the format is OpenMetrics.
        """
        text, media_type = metrics.render(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return routes
