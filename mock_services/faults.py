"""Injected faults."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, RootModel

from mock_services.http.response import Problem, Response
from mock_services.values.fields import Count, Level, RequestModel

__all__ = ["Fault", "FaultList", "Faults"]


class Fault(RequestModel):
    """A fault for the calls that match its path prefix and method.

    *latency_ms* replaces the latency of the endpoint, and is not multiplied by the latency scale, which may
    be 0. *times* is the number of calls that get the fault; None means all calls until the fault is cleared.
    """

    path_prefix: Annotated[str, Field(pattern="^/")]
    kind: Literal["status", "latency", "hang", "drop", "garbage", "truncate", "drop_after_write"]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    status: Annotated[int, Field(ge=200, le=599)] = 503
    latency_ms: Level | None = None
    times: Count | None = None
    retry_after: Level | None = None

    @property
    def reaches_handler(self) -> bool:
        """True if the handler is called in spite of the fault."""
        return self.kind in {"latency", "truncate", "drop_after_write"}

    def matches(self, method: str, path: str) -> bool:
        """Return True if the fault applies to a call."""
        return path.startswith(self.path_prefix) and self.method in {None, method}

    def delay(self, default: float) -> float | None:
        """Return the seconds before the response (None: forever); *default* is the endpoint's latency."""
        if self.kind == "hang":
            return None
        if self.latency_ms is None:
            return 1.0 if self.kind == "latency" else default
        return self.latency_ms / 1000

    def to_response(self) -> Response:
        """Return the response that replaces the handler's response."""
        if self.kind == "garbage":
            return Response.garbage()
        retry_after = () if self.retry_after is None else ((b"retry-after", str(self.retry_after).encode()),)
        return Problem(self.status, "Injected fault", retry_after).to_response()


class FaultList(RootModel[list[Fault]]):
    """Request body: the faults that replace all earlier faults."""


class Faults:
    """The active faults, each with the number of calls that still get it."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._remaining = [(fault, fault.times) for fault in faults]

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that matches a call, and count the call; return None if no fault matches."""
        for index, (fault, remaining) in enumerate(self._remaining):
            if fault.matches(method, path):
                self._count_down(index, fault, remaining)
                return fault
        return None

    def _count_down(self, index: int, fault: Fault, remaining: int | None) -> None:
        match remaining:
            case None:
                return
            case 1:
                del self._remaining[index]
            case _:
                self._remaining[index] = (fault, remaining - 1)
