"""GET /pipelines: a description of each pipeline."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import Response

from gateway.api.pipeline_route.description import DescribedPipeline, PipelineList

__all__ = ("build_router",)

_CACHED: Final = {"Cache-Control": "max-age=300"}
"""The list does not change while the gateway runs."""


def build_router(pipelines: Sequence[DescribedPipeline]) -> APIRouter:
    """Return the router that lists *pipelines*."""
    listed: PipelineList = {"pipelines": [pipeline.description for pipeline in pipelines]}
    body = to_json(listed)
    routes = APIRouter(tags=["operations"])

    @routes.get(
        "/pipelines",
        summary="Describe the pipelines",
        response_model=PipelineList,
        responses={
            200: {
                "description": "Every pipeline of the gateway.",
                "content": {"application/json": {"example": listed}},
            }
        },
    )
    async def list_pipelines() -> Response:
        """Describe each pipeline: its stages and their calls, writes and undos, and its possible statuses.

        Generated: the gateway dry-runs each pipeline on example data at start, without calling a service.
        """
        return Response(body, HTTPStatus.OK, _CACHED, "application/json")

    return routes
