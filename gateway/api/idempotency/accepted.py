"""The answer while a commit is under way."""

from http import HTTPStatus
from typing import Literal

from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

__all__ = ("Running", "location_of", "running")


class Running(TypedDict):
    """The deadline has passed, the commit goes on."""

    execution_id: str
    pipeline: str
    state: Literal["running"]


def location_of(execution_id: str) -> str:
    """Say where what becomes of an execution can be looked up."""
    return f"/executions/{execution_id}"


def running(execution_id: str, pipeline: str) -> Response:
    """Make the answer: look later, and there."""
    body: Running = {"execution_id": execution_id, "pipeline": pipeline, "state": "running"}
    return JSONResponse(
        body, HTTPStatus.ACCEPTED, {"Location": location_of(execution_id), "Retry-After": "1"}
    )
