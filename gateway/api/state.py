"""State that the routes of a gateway share."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from gateway.api.admission.admission import Admission
from gateway.api.admission.caller import CallerDependency
from gateway.executions.registry import ExecutionRegistry
from gateway.observability.metrics.request_metrics import RequestMetrics
from gateway.observability.server_timing import ServerTiming
from gateway.observability.trace import Trace

__all__ = ("GatewayState",)


@final
@dataclass(frozen=True, slots=True)
class GatewayState:
    """Dependencies and limits that the routes of a gateway share.

    *deadline* is the time limit of a whole request, *optional_budget* the time limit of an optional call
    (None: no limit of its own), both in seconds. *executions* runs the pipelines that write, *admission*
    limits the requests. *caller* finds the principal of a request. *on_trace* receives the trace of each
    request with a title such as `POST /checkout 200`; *clock* returns seconds for traces. *server_timing* are
    the entries of `Server-Timing`, which pages of *timing_origins* may read (`*`: all). If it
    *has_access_log*, each request is logged. *metrics*, if there are any, record each request and each call.
    """

    deadline: float
    optional_budget: float | None
    executions: ExecutionRegistry
    admission: Admission
    caller: CallerDependency | None = None
    on_trace: Callable[[str, Trace], None] | None = None
    clock: Callable[[], float] = time.perf_counter
    server_timing: ServerTiming = "all"
    timing_origins: tuple[str, ...] = ()
    has_access_log: bool = False
    metrics: RequestMetrics | None = None

    @property
    def is_traced(self) -> bool:
        """Return whether anything needs the trace of a request."""
        return self.observes_attempts or self.server_timing != "off" or self.metrics is not None

    @property
    def observes_attempts(self) -> bool:
        """Return whether anything needs the attempts of calls."""
        return self.on_trace is not None or self.has_access_log
