"""GET /pipelines: a description of each pipeline."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.pipeline_route.description import DescribedPipeline, PipelineList
from gateway.api.static_content import StaticContent, declare_static_responses

__all__ = ("build_router",)

_CACHED: Final = "max-age=300"
"""The list does not change while the gateway runs."""


def build_router(pipelines: Sequence[DescribedPipeline], limit: InFlightLimit) -> APIRouter:
    """Return the router that lists *pipelines*; its responses are sent within *limit*."""
    listed: PipelineList = {"pipelines": [pipeline.description for pipeline in pipelines]}
    content = StaticContent(lambda _: to_json(listed), "application/json", limit, _CACHED)
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/pipelines",
        summary="Describe the pipelines",
        response_model=PipelineList,
        responses={
            200: {
                "description": "Every pipeline of the gateway.",
                "content": {"application/json": {"example": listed}},
            },
            **declare_static_responses("/pipelines"),
        },
    )
    async def list_pipelines(request: Request) -> Response:
        """Describe each pipeline: its stages and their calls, writes and undos, and its possible statuses.

        Generated: the gateway dry-runs each pipeline on example data at start, without calling a service.
        """
        return content.respond(request)

    return routes
