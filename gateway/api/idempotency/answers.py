"""Responses as answers of runs, and back."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from gateway.executions.answer import Answer

__all__ = ("build_response", "store_response")

_REPLAYED: Final[Mapping[str, str]] = {"Idempotent-Replayed": "true"}


def store_response(response: Response) -> Answer:
    """Return a copy of *response*, which must not be a streaming response."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, headers, bytes(response.body))


def build_response(answer: Answer, *, is_replayed: bool) -> Response:
    """Return *answer* as a response, with `Idempotent-Replayed` if it *is_replayed* for a later request."""
    headers = {**answer.headers, **_REPLAYED} if is_replayed else answer.headers
    return Response(answer.body, answer.status, headers)
