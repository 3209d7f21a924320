"""Request for a pipeline, as its endpoint receives it."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from gateway.api.admission.admission import AdmissionSlot
from gateway.api.headers import HeaderFields
from gateway.api.pipeline_route.binding import BoundPipeline
from gateway.api.pipeline_route.models import SuccessBody
from gateway.api.pipeline_route.registration import Headers
from gateway.api.problems.problem import build_problem_response
from gateway.api.state import GatewayState
from gateway.observability.metrics.request_metrics import RouteMetrics
from gateway.observability.trace import Trace
from gateway.railway import Err, Failure, Ok, Result, RunContext

__all__ = ("EndpointRequest", "ParsedRequest", "PipelineRequest", "ServedPipeline")


@final
@dataclass(frozen=True, slots=True)
class ServedPipeline:
    """A pipeline and its success response: *status*, *headers*, and a body that *body* writes.

    *name* is the method and the path as registered, such as `POST /orders`. *metrics*, if there are any,
    record its requests.
    """

    name: str
    pipeline: BoundPipeline
    state: GatewayState
    status: int
    headers: Headers
    body: SuccessBody
    metrics: RouteMetrics | None = None

    def build_headers(self, value: object) -> Mapping[str, str]:
        """Return the headers for the pipeline's *value*."""
        return self.headers(value) if callable(self.headers) else self.headers


@final
@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """The validated parts of a request; *arguments* are the endpoint's arguments by name."""

    headers: HeaderFields = field(repr=False)
    body: bytearray = field(repr=False)
    arguments: Mapping[str, object]
    token: str | None = field(repr=False)
    idempotency_key: bytes | None
    context: RunContext
    slot: AdmissionSlot
    trace: Trace | None = field(repr=False)
    caller: str | None = None


class EndpointRequest(Request):
    """Request that the endpoint of a pipeline receives, with its token and the context of the run.

    *PARAMETERS* are the headers that the gateway reads, as the OpenAPI document lists them.
    """

    PARAMETERS: ClassVar[tuple[str, ...]] = (
        "X-Request-Timeout-Ms",
        "x-envoy-expected-rq-timeout-ms",
        "grpc-timeout",
        "X-Request-Id",
        "traceparent",
        "tracestate",
    )

    def __init__(self, request: Request, served: ServedPipeline, parsed: ParsedRequest) -> None:
        super().__init__(request.scope, request.receive)
        self._served = served
        self._parsed = parsed

    @property
    def context(self) -> RunContext:
        """Return the context of the run: deadline, observer, propagated headers."""
        return self._parsed.context

    @property
    def caller(self) -> str | None:
        """Return the id of the principal, from `create_app(caller=...)`; None for an anonymous caller."""
        return self._parsed.caller

    @property
    def token(self) -> str:
        """Return the bearer token; raise `TypeError` unless the route is registered with `bearer=True`."""
        if self._parsed.token is None:
            msg = f"the request has no token: register {self.url.path} with bearer=True"
            raise TypeError(msg)
        return self._parsed.token

    @override
    async def body(self) -> bytes:
        """Return the body, which has been read already."""
        return bytes(self._parsed.body)

    @override
    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body, which has been read already."""
        yield bytes(self._parsed.body)

    def build_response(
        self,
        result: Result[object, Failure],
        *,
        headers: Mapping[str, str] | None = None,
        execution_id: str | None = None,
    ) -> Response:
        """Return the response for *result*: its value as JSON, or a problem.

        *headers* are sent only with a value, *execution_id* only with a problem. `Gateway-Completed` is true
        if no optional part of the value is missing.
        """
        match result:
            case Ok(value, lacks=lacks):
                served = self._served
                success_headers = {
                    "Gateway-Completed": "false" if lacks else "true",
                    **served.build_headers(value),
                }
                return Response(
                    served.body.to_json(value),
                    served.status,
                    {**success_headers, **(headers or {})},
                    served.body.media_type,
                )
            case Err(error):
                return build_problem_response(error, self.scope, execution_id)


@final
class PipelineRequest(EndpointRequest):
    """A request for a pipeline that does not write; `run` runs the pipeline and returns the response."""

    async def run(self, /, *args: object, **kwargs: object) -> Response:
        """Run the route's pipeline with these arguments and its services; return the response."""
        return self.build_response(await self._served.pipeline.run(self.context, *args, **kwargs))
