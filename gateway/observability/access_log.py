"""Access log: a line for each request for a pipeline."""

import logging
from dataclasses import dataclass
from typing import Final, final

from gateway.observability.trace import Trace

__all__ = ("CLIENT_CLOSED_REQUEST", "AccessRecord", "log_access")

CLIENT_CLOSED_REQUEST: Final = 499
"""Status in the log of a request whose client has disconnected before the response; nginx uses it too."""

_log: Final = logging.getLogger("gateway.access")


@final
@dataclass(frozen=True, slots=True)
class AccessRecord:
    """Facts about a request and its response.

    - *path*: percent-encoded, without the query, which may contain personal data.
    - *caller*: id of the authenticated principal.
    - *execution_id*: id of the execution of a pipeline that writes.
    - *trace_id*: id of the W3C trace context that the client has sent.
    - *is_replayed*: the response is that of an earlier request with the same idempotency key.
    """

    method: str
    path: str
    status: int
    pipeline: str
    request_id: str
    caller: str | None
    execution_id: str | None
    trace_id: str | None
    is_replayed: bool


def log_access(record: AccessRecord, trace: Trace) -> None:
    """Log the request of *record* with the times of *trace* until now.

    The line is text; a structured log has the same facts as fields, times in milliseconds.
    """
    now = trace.clock()
    duration, own = (now - trace.start) * 1000, trace.measure_own(now) * 1000
    slowest = max(trace.calls, key=lambda call: call.find_end(now) - call.start, default=None)
    retries = sum(call.retries for call in trace.calls)
    fields: dict[str, object] = {
        "request_id": record.request_id,
        "method": record.method,
        "path": record.path,
        "status": record.status,
        "pipeline": record.pipeline,
        "duration_ms": round(duration, 1),
        "gateway_ms": round(own, 1),
        "calls": len(trace.calls),
        "retries": retries,
    }
    calls = "1 call" if len(trace.calls) == 1 else f"{len(trace.calls)} calls"
    if slowest is not None:
        seconds = slowest.find_end(now) - slowest.start
        fields |= {"slowest_call": slowest.name, "slowest_ms": round(seconds * 1000, 1)}
        calls = f"{calls}, {retries} retries, slowest {slowest.name} {seconds * 1000:.1f} ms"
    ids: dict[str, str | None] = {
        "caller": record.caller,
        "execution_id": record.execution_id,
        "trace_id": record.trace_id,
    }
    fields |= {name: value for name, value in ids.items() if value is not None}
    if record.is_replayed:
        fields["replayed"] = True
    _log.info(
        "%s %s %d in %.1f ms, %.1f ms of that in the gateway; %s (request %s)",
        record.method,
        record.path,
        record.status,
        duration,
        own,
        calls,
        record.request_id,
        extra={"fields": fields},
    )
