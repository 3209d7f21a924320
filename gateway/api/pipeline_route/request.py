"""A request for a pipeline, as its endpoint sees it, and how such requests are served."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.admission.admission import Admission
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.headers import Fields
from gateway.api.problems import problem as problems
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.observability.trace import Trace
from gateway.railway import CommitTerms, Err, Failure, Ok, Result, RunContext

__all__ = ("Asked", "PipelineRequest", "Serving", "Success")

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def _forgetful() -> ExecutionRegistry[StoredResponse]:
    return ExecutionRegistry(MemoryJournal(), {}, CommitTerms())


@final
@dataclass(frozen=True, slots=True)
class Serving:
    """How pipelines are served; the routes look for it in `app.state.serving`.

    *deadline* is what a request has at most, *optional_budget* what an optional call has in all, both in
    seconds. *on_trace* is handed what each request did, under a title such as `POST /checkout 200`; *clock*
    gives the seconds of its record. *executions* makes the runs that write, *admission* says which requests
    are let in.
    """

    deadline: float = 5.0
    optional_budget: float | None = 0.5
    on_trace: Callable[[str, Trace], None] | None = None
    clock: Callable[[], float] = time.perf_counter
    executions: ExecutionRegistry[StoredResponse] = field(default_factory=_forgetful, compare=False)
    admission: Admission = field(default_factory=Admission, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Success:
    """How a success is written: with this status, as this type."""

    status: int
    kind: TypeAdapter[object]


@final
@dataclass(frozen=True, slots=True)
class Asked:
    """What was sent: headers, what the endpoint takes, by name, and the token where the route wants one."""

    sent: Fields = field(repr=False)
    values: Mapping[str, object]
    token: str | None = field(repr=False)


class PipelineRequest(Request):
    """A request for a pipeline: *context* are what its run is given, and `answer` ends it.

    *PARAMETERS* are the headers that it looks at, as OpenAPI's components have them.
    """

    PARAMETERS: ClassVar[tuple[str, ...]] = (
        "X-Request-Timeout-Ms",
        "X-Request-Id",
        "traceparent",
        "tracestate",
    )

    def __init__(self, request: Request, context: RunContext, success: Success, asked: Asked) -> None:
        super().__init__(request.scope, request.receive)
        self.context = context
        self.asked = asked
        self._success = success

    @classmethod
    def check(cls, sent: Fields) -> None:
        """Raise `Refusal` if a header makes no sense; those of every request have been checked before."""

    @property
    def token(self) -> str:
        """Give the bearer token; a `TypeError` unless the route says that it wants one."""
        if self.asked.token is None:
            msg = f"{self.url.path} does not say that it wants a bearer token: openapi_extra=BEARER"
            raise TypeError(msg)
        return self.asked.token

    def answer(self, result: Result[object, Failure], headers: Mapping[str, str] = _NOTHING) -> Response:
        """Make the answer of *result*: the value as the route's `response_model` has it, or a problem.

        *headers* are sent with a value only. `Gateway-Completed` is true if the value lacks nothing.
        """
        match result:
            case Ok(value, lacks=lacks):
                whole = {"Gateway-Completed": "false" if lacks else "true", **headers}
                return Response(
                    self._success.kind.dump_json(value), self._success.status, whole, "application/json"
                )
            case Err(error):
                return problems.answer(error, self.scope)
