"""Code of a response in the metrics: that of its problem, `ok` or `degraded`."""

import json
from contextlib import suppress
from typing import Final, cast

from starlette.responses import Response

from gateway.observability.metrics.request_metrics import RouteMetrics
from gateway.observability.trace import Trace

__all__ = ("record_response",)

_PROBLEM: Final = "application/problem+json"
_OTHER: Final = "other"
"""Code of a problem without one: an endpoint may build its own responses."""


def record_response(metrics: RouteMetrics, response: Response, trace: Trace) -> None:
    """Record a *response* that is about to be sent, before the gateway adds headers to it."""
    headers = response.headers
    code = "degraded" if headers.get("gateway-completed") == "false" else "ok"
    if headers.get("content-type") == _PROBLEM:
        code = _read_code(response)
    metrics.record(response.status_code, code, trace, is_replayed="idempotent-replayed" in headers)


def _read_code(response: Response) -> str:
    """Return the code of a problem; a streaming response has no body yet."""
    with suppress(ValueError, TypeError, KeyError):
        code = cast("dict[str, object]", json.loads(getattr(response, "body", b"")))["code"]
        if isinstance(code, str):
            return code
    return _OTHER
