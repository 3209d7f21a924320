"""The route of a pipeline: read and validate the request, run the pipeline, respond."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, Final, final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from typing_extensions import override

from gateway.api.headers import (
    HeaderFields,
    build_propagated_headers,
    parse_bearer_token,
    parse_timeout,
    read_fields,
)
from gateway.api.idempotency.key import parse_key
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.arguments import Arguments
from gateway.api.pipeline_route.binding import BoundPipeline, bind, build_endpoint, list_path_parameters
from gateway.api.pipeline_route.body import read_body, require_json
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.disconnect import NoResponse, run_while_connected
from gateway.api.pipeline_route.registration import RegistrationError, Route
from gateway.api.pipeline_route.request import EndpointRequest, ParsedRequest, PipelineRequest, ServedPipeline
from gateway.api.problems.exception_handlers import build_exception_response
from gateway.api.problems.problem import build_problem_response
from gateway.api.request_scope import encode_path, get_request_id
from gateway.api.state import GatewayState
from gateway.client.examples import NoExampleError, build_example
from gateway.observability.trace import Trace
from gateway.railway import Err, Ok, RunContext, Unauthorized

__all__ = ("PipelineRoute",)

_log: Final = logging.getLogger(__name__)
_TOKEN_REQUIRED: Final = Unauthorized("A bearer token is required, in the header Authorization: Bearer TOKEN")


@final
class PipelineRoute(APIRoute):
    """FastAPI route that serves the registration *route*; *services* are those of the gateway, by name.

    The body is validated once, from its bytes, and the response is written by pydantic's serializer for the
    pipeline's return type. The order of checks: 429, 503 under overload, 415, 413 or 408, 400 for a header,
    401, 400 for a malformed body, 422. Every response has `Server-Timing` and `Gateway-Completed`. If the
    client disconnects, the pipeline is cancelled unless its commit has begun.

    Raise `RegistrationError` if the route cannot be served as it is registered.
    """

    def __init__(self, route: Route, services: Mapping[str, object], state: GatewayState) -> None:
        self.bound = bind(route, services)
        self.registration = route
        request: type[EndpointRequest] = CommitRequest if self.bound.is_commit_declared else PipelineRequest
        endpoint = route.endpoint or build_endpoint(
            route, self.bound, request, "commit" if self.bound.is_commit_declared else "run"
        )
        self._arguments = Arguments(endpoint, list_path_parameters(route))
        if self._arguments.request_type is not request:
            reason = "writes" if self.bound.is_commit_declared else "does not write"
            msg = (
                f"{route}: {endpoint.__name__} must take a {request.__name__}: {route.pipeline.name} {reason}"
            )
            raise RegistrationError(msg)
        _refuse_unsafe(route, self.bound)
        _refuse_unused(route, self._arguments)
        model = TypeAdapter[object](self.bound.returns)
        self._served = ServedPipeline(self.bound, state, route.status, route.headers, model)
        super().__init__(
            route.path,
            endpoint,
            methods=[route.method],
            status_code=route.status,
            response_model=self.bound.returns,
            operation_id=endpoint.__name__,
            summary=route.summary or _summarize(route),
            tags=["pipelines"],
            responses={status: {**response} for status, response in route.responses.items()},
        )
        _refuse_unsupported(route, self.dependant)
        self.spec: Final = RouteSpec(
            method=route.method,
            path=route.path,
            pipeline=route.pipeline.name,
            promised=route.pipeline.promised,
            success_status=route.status,
            invalid_request=self._arguments.build_invalid_example(),
            has_body=self._arguments.has_body,
            needs_bearer=route.bearer,
            header_parameters=request.PARAMETERS,
            declared_statuses=tuple(int(status) for status in route.responses if str(status).isdecimal()),
        )

    def find_body(self, arguments: Mapping[str, object]) -> object:
        """Return a body as a JSON value: from the pipeline's *arguments*, else from an example of its type.

        Return None if the endpoint takes no body, or its type has no example.
        """
        body_type = self._arguments.body_type
        if body_type is None:
            return None
        for name, value in arguments.items():
            if name not in self._arguments.names_in_path:
                with suppress(PydanticSerializationError):
                    return body_type.dump_python(value, mode="json", warnings="error")
        with suppress(NoExampleError):
            return body_type.dump_python(build_example(body_type), mode="json")
        return None

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests (FastAPI, "Custom Request and APIRoute class")."""
        return _Handler(self.endpoint, self._arguments, self._served, self.registration).handle


def _summarize(route: Route) -> str:
    return (route.pipeline.function.__doc__ or route.pipeline.name).strip().partition("\n")[0]


def _refuse_unsafe(route: Route, bound: BoundPipeline) -> None:
    """Raise `RegistrationError` for a pipeline that writes under GET, a safe method (RFC 9110, 9.2.1)."""
    if route.method == "GET" and bound.is_commit_declared:
        msg = f"{route}: {route.pipeline.name} writes, which GET must not do; use another method"
        raise RegistrationError(msg)


def _refuse_unused(route: Route, arguments: Arguments) -> None:
    """Raise `RegistrationError` for path parameters that the endpoint does not take."""
    if unused := list_path_parameters(route) - arguments.names_in_path:
        names = ", ".join(sorted(unused))
        msg = f"{route}: neither {route.pipeline.name} nor its endpoint takes the path parameter {names}"
        raise RegistrationError(msg)


def _refuse_unsupported(route: Route, dependant: Dependant) -> None:
    """Raise `RegistrationError` for scalar parameters outside the path: FastAPI takes them from the query."""
    if dependant.query_params:
        names = ", ".join(field.name for field in dependant.query_params)
        msg = f"{route}: query parameters are not supported: {names}; put them into the path or the body"
        raise RegistrationError(msg)


@final
class _Handler:
    """Handler of the requests of a route."""

    def __init__(
        self, endpoint: Callable[..., Any], arguments: Arguments, served: ServedPipeline, route: Route
    ) -> None:
        self._endpoint = endpoint
        self._arguments = arguments
        self._served = served
        self._state = served.state
        self._requires_token = route.bearer

    async def handle(self, request: Request) -> Response:
        """Return the response to *request* and report its trace; an exception becomes a problem response.

        If the client disconnects, there is neither a response nor a trace.
        """
        arrival = asyncio.get_running_loop().time()
        state = self._state
        slot = state.admission.request_slot(request.scope, arrival)
        trace = Trace(state.clock)
        try:
            slot.check()
            fields = read_fields(request.scope)
            if self._arguments.has_body:
                require_json(fields)
            body = await read_body(fields, request.receive, arrival + state.deadline)
            with slot:
                response = await self._respond(request, fields, body, arrival, trace)
        except ClientDisconnect:
            return NoResponse()
        except Exception as error:  # noqa: BLE001 - each becomes a problem response
            response = build_exception_response(error, request.scope)
        response.headers.setdefault("Gateway-Completed", "false")
        response.headers["Server-Timing"] = trace.server_timing()
        response.headers.update(slot.headers)
        if state.on_trace is not None:
            title = f"{request.method} {encode_path(request.scope)} {response.status_code}"
            _report_trace(state.on_trace, title, trace)
        return response

    async def _respond(
        self, request: Request, fields: HeaderFields, body: bytearray, arrival: float, trace: Trace
    ) -> Response:
        deadline = arrival + min(self._state.deadline, parse_timeout(fields))
        key = parse_key(fields) if self._served.pipeline.is_commit_declared else None
        token = parse_bearer_token(fields) if self._requires_token else None
        if self._requires_token and token is None:
            return build_problem_response(_TOKEN_REQUIRED, request.scope)
        match self._arguments.validate(request.path_params, body):
            case Ok(values):
                propagated = build_propagated_headers(fields, get_request_id(request.scope))
                context = RunContext(deadline, self._state.optional_budget, trace, propagated)
                parsed = ParsedRequest(fields, values, token, key, context)
                pipeline_request = self._arguments.request_type(request, self._served, parsed)
                work = self._endpoint(**values, **{self._arguments.request_name: pipeline_request})
                return await run_while_connected(request.receive, work)
            case Err(error):
                return build_problem_response(error, request.scope)


def _report_trace(on_trace: Callable[[str, Trace], None], title: str, trace: Trace) -> None:
    try:
        on_trace(title, trace)
    except Exception:  # noqa: BLE001 - a failing observer must not fail the request
        _log.exception("the trace observer raised for %s", title)
