"""The 202 response while a commit is under way."""

from http import HTTPStatus
from typing import Literal

from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

__all__ = ("Running", "build_accepted_response", "build_location")


class Running(TypedDict):
    """An execution that is still running."""

    execution_id: str
    pipeline: str
    state: Literal["running"]


def build_location(execution_id: str, prefix: str) -> str:
    """Return the path of an execution with its *prefix*, for the header `Location`."""
    return f"{prefix}/executions/{execution_id}"


def build_accepted_response(execution_id: str, pipeline: str, prefix: str) -> Response:
    """Return the 202 response, which refers the client to the execution; *prefix* is that of the link."""
    body: Running = {"execution_id": execution_id, "pipeline": pipeline, "state": "running"}
    headers = {"Location": build_location(execution_id, prefix), "Retry-After": "1"}
    return JSONResponse(body, HTTPStatus.ACCEPTED, headers)
