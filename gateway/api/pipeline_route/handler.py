"""Handling of a request for a pipeline: admission, checks, the endpoint, the trace."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.api.admission.admission import AdmissionSlot
from gateway.api.admission.caller import ANONYMOUS, Caller, CallerIdentifier
from gateway.api.headers import (
    HeaderFields,
    build_propagated_headers,
    parse_bearer_token,
    parse_timeout,
    parse_trace_id,
    read_fields,
)
from gateway.api.idempotency.key import parse_key
from gateway.api.metrics.response_code import record_response
from gateway.api.path_prefix import encode_path
from gateway.api.pipeline_route.arguments import Arguments
from gateway.api.pipeline_route.body import read_body, require_json
from gateway.api.pipeline_route.disconnect import NoResponse, run_while_connected
from gateway.api.pipeline_route.registration import Endpoint
from gateway.api.pipeline_route.request import EndpointRequest, ParsedRequest, ServedPipeline
from gateway.api.pipeline_route.solver import DependencySolver
from gateway.api.problems.exception_handlers import build_exception_response, remember_response
from gateway.api.problems.problem import build_problem_response
from gateway.api.request_scope import assign_caller, get_caller, get_execution_id, get_request_id
from gateway.observability.access_log import CLIENT_CLOSED_REQUEST, AccessRecord, log_access
from gateway.observability.server_timing import TimingHeaders
from gateway.observability.trace import Trace
from gateway.railway import Err, Ok, RunContext, Unauthorized

__all__ = ("CalledEndpoint", "Handler")

_log: Final = logging.getLogger(__name__)
_COMPLETED: Final = b"gateway-completed"
_TOKEN_REQUIRED: Final = Unauthorized("A bearer token is required, in the header Authorization: Bearer TOKEN")


@final
@dataclass(frozen=True, slots=True)
class CalledEndpoint:
    """An endpoint: its *function*, its request parameter, its validators.

    *solver* calls the function if it takes more than path parameters, a body and the request.
    """

    function: Endpoint
    request_name: str
    request_type: type[EndpointRequest]
    arguments: Arguments
    solver: DependencySolver | None


@final
class Handler:
    """Handler of the requests of a route."""

    def __init__(
        self,
        endpoint: CalledEndpoint,
        served: ServedPipeline,
        identifier: CallerIdentifier | None,
        *,
        requires_token: bool,
    ) -> None:
        self._endpoint = endpoint
        self._arguments = endpoint.arguments
        self._served = served
        self._state = served.state
        self._identifier = identifier
        self._requires_token = requires_token
        self._timing = TimingHeaders(served.state.server_timing, served.state.timing_origins)

    async def handle(self, request: Request) -> Response:
        """Return the response to *request* and report its trace; an exception becomes a problem response.

        If the client disconnects, there is neither a response nor a trace.

        If FastAPI solves dependencies, the exception is raised, so that dependencies with `yield` see it, and
        its response is remembered for the exception handlers.
        """
        arrival = asyncio.get_running_loop().time()
        state = self._state
        trace = self._create_trace() if state.is_traced else None
        identifier = self._identifier
        caller = (
            ANONYMOUS
            if identifier is None or state.admission.in_flight.is_full
            else await identifier.identify(request, arrival + state.deadline)
        )
        if caller.principal is not None:
            assign_caller(request.scope, caller.principal)
        slot = state.admission.request_slot(request.scope, arrival, caller.principal)
        failure: Exception | None = None
        try:
            slot.check()
            fields = read_fields(request.scope)
            if self._arguments.requires_body:
                require_json(fields)
            body = await read_body(fields, request.receive, arrival + state.deadline)
            with slot:
                response = await self._respond(request, caller, slot, fields, body, arrival, trace)
        except ClientDisconnect as error:
            self._log_access(request, CLIENT_CLOSED_REQUEST, {}, trace)
            if self._served.metrics is not None and trace is not None:
                self._served.metrics.record(CLIENT_CLOSED_REQUEST, "client-closed-request", trace)
            return self._pass_on(error, request, NoResponse())
        except Exception as error:  # noqa: BLE001 - each becomes a problem response
            failure, response = error, build_exception_response(error, request.scope)
        if self._served.metrics is not None and trace is not None:
            record_response(self._served.metrics, response, trace)
        timing: Mapping[str, str] = {} if trace is None else self._timing.build(trace)
        _add_headers(response, {**timing, **slot.headers})
        if state.on_trace is not None and trace is not None:
            title = f"{request.method} {encode_path(request.scope)} {response.status_code}"
            _report_trace(state.on_trace, title, trace)
        self._log_access(request, response.status_code, response.headers, trace)
        return response if failure is None else self._pass_on(failure, request, response)

    async def _respond(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        request: Request,
        caller: Caller,
        slot: AdmissionSlot,
        fields: HeaderFields,
        body: bytearray,
        arrival: float,
        trace: Trace | None,
    ) -> Response:
        arguments = self._arguments
        if body and not arguments.requires_body and arguments.has_body:
            require_json(fields)
        deadline = arrival + min(self._state.deadline, parse_timeout(fields))
        key = parse_key(fields) if self._served.pipeline.is_commit_declared else None
        if caller.refusal is not None:
            raise caller.refusal
        token = parse_bearer_token(fields) if self._requires_token else None
        if self._requires_token and token is None:
            return build_problem_response(_TOKEN_REQUIRED, request.scope)
        propagated = build_propagated_headers(fields, get_request_id(request.scope))
        context = RunContext(
            deadline, self._state.optional_budget, trace, propagated, caller=caller.principal
        )
        endpoint = self._endpoint
        if endpoint.solver is not None:
            identifying: dict[str, object] = {}
            parsed = ParsedRequest(
                fields, body, identifying, token, key, context, slot, trace, caller.principal
            )
            pipeline_request = endpoint.request_type(request, self._served, parsed)
            solving = endpoint.solver.respond(pipeline_request, body, deadline, identifying)
            return await run_while_connected(request.receive, solving)
        match arguments.validate(request.path_params, body):
            case Ok(values):
                parsed = ParsedRequest(
                    fields, body, values, token, key, context, slot, trace, caller.principal
                )
                pipeline_request = endpoint.request_type(request, self._served, parsed)
                work = endpoint.function(**values, **{endpoint.request_name: pipeline_request})
                return await run_while_connected(request.receive, work)
            case Err(error):
                return build_problem_response(error, request.scope)

    def _create_trace(self) -> Trace:
        state = self._state
        return Trace(
            state.clock,
            observes_attempts=state.observes_attempts,
            on_call_ended=None if state.metrics is None else state.metrics.calls.record,
        )

    def _log_access(
        self, request: Request, status: int, headers: Mapping[str, str], trace: Trace | None
    ) -> None:
        if not self._state.has_access_log or trace is None:
            return
        scope = request.scope
        record = AccessRecord(
            request.method,
            encode_path(scope),
            status,
            self._served.pipeline.pipeline.name,
            get_request_id(scope),
            get_caller(scope),
            get_execution_id(scope),
            parse_trace_id(read_fields(scope)),
            is_replayed="idempotent-replayed" in headers,
        )
        with suppress(Exception):  # a handler or a filter of the log may raise: a commit may have been made
            log_access(record, trace)

    def _pass_on(self, error: Exception, request: Request, response: Response) -> Response:
        """Return *response*, or raise *error* through the dependencies with `yield`."""
        if self._endpoint.solver is None:
            return response
        remember_response(request.scope, error, response)
        raise error


def _add_headers(response: Response, headers: Mapping[str, str]) -> None:
    """Add the *headers*, and `Gateway-Completed: false` unless the response has it."""
    raw = response.raw_headers
    if all(name != _COMPLETED for name, _ in raw):
        raw.append((_COMPLETED, b"false"))
    raw.extend((name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items())


def _report_trace(on_trace: Callable[[str, Trace], None], title: str, trace: Trace) -> None:
    try:
        on_trace(title, trace)
    except Exception:  # noqa: BLE001 - a failing observer must not fail the request
        _log.exception("the trace observer raised for %s", title)
