"""The route of a pipeline: its endpoint, its documentation, and the handler of its requests."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, final

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from gateway.api.admission.caller import CallerIdentifier
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.pipeline_route.arguments import Arguments
from gateway.api.pipeline_route.binding import BoundPipeline, bind, build_endpoint, list_path_parameters
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.handler import CalledEndpoint, Handler
from gateway.api.pipeline_route.models import EmptyBody, ResponseSerializer, SuccessBody
from gateway.api.pipeline_route.parameters import (
    find_body,
    find_request,
    has_other_query,
    has_security_scheme,
    list_fields,
    list_query,
    name_endpoint,
    needs_solver,
    resolve_hints,
)
from gateway.api.pipeline_route.registration import RegistrationError, Route, check_headers
from gateway.api.pipeline_route.request import EndpointRequest, PipelineRequest, ServedPipeline
from gateway.api.pipeline_route.solver import DependencySolver, SolvedEndpoint
from gateway.api.state import GatewayState
from gateway.client.examples import NoExampleError, build_example

__all__ = ("PipelineRoute", "build_routes")

_WITHOUT_CONTENT: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})


@final
class PipelineRoute(APIRoute):
    """FastAPI route for one *method* of the registration *route*; *services* are the gateway's, by name.

    The method defaults to the first of the registration.

    The body is validated once, from its bytes, and the response is written by pydantic's serializer for the
    pipeline's return type. The order of checks: 429, 503 under overload, 415, 413 or 408, 400 for a header,
    401, 400 for a malformed body, 422. Every response has `Gateway-Completed`, and `Server-Timing` unless
    that is off. If the client disconnects, the pipeline is cancelled unless its commit has begun.

    The caller, if the gateway identifies callers, is found first: the rate limit counts it. A caller that is
    refused gets its response in the place of 401.

    FastAPI's own handler is used only for an endpoint that takes more than path parameters and a body: it
    solves the other parameters and the dependencies.

    Raise `RegistrationError` if the route cannot be served as it is registered.
    """

    def __init__(
        self, route: Route, services: Mapping[str, object], state: GatewayState, method: str | None = None
    ) -> None:
        self.method = method = method or route.methods[0]
        self.bound = bind(route, services)
        self.registration = route
        is_commit = self.bound.is_commit_declared
        request: type[EndpointRequest] = CommitRequest if is_commit else PipelineRequest
        endpoint = route.endpoint or build_endpoint(
            route, method, self.bound, request, "commit" if is_commit else "run"
        )
        self._hints = resolve_hints(endpoint)
        self._request_name = find_request(endpoint, self._hints)
        self._request_type = request
        if self._hints[self._request_name] is not request:
            reason = "writes" if is_commit else "does not write"
            msg = (
                f"{route}: {endpoint.__name__} must take a {request.__name__}: {route.pipeline.name} {reason}"
            )
            raise RegistrationError(msg)
        _refuse_unsafe(route, method, self.bound)
        self.metrics: Final = (
            None
            if state.metrics is None
            else state.metrics.add_route(route.pipeline.name, method, route.path)
        )
        self._served = ServedPipeline(
            f"{method} {route.path}",
            self.bound,
            state,
            route.status,
            route.headers,
            _build_body(route, self.bound),
            self.metrics,
        )
        is_alone = route.endpoint is None or len(route.methods) == 1
        try:
            super().__init__(
                route.path,
                endpoint,
                methods=[method],
                status_code=route.status,
                response_model=self._served.body.type,
                operation_id=endpoint.__name__ if is_alone else f"{method.lower()}_{endpoint.__name__}",
                summary=route.summary or _summarize(route),
                tags=["pipelines"],
                dependencies=[] if state.caller is None else [Depends(state.caller)],
                responses={status: {**response} for status, response in route.responses.items()},
            )
        except (AssertionError, FastAPIError, RuntimeError) as error:
            msg = f"{route}: {name_endpoint(endpoint)}: {str(error).strip().partition(chr(10))[0]}"
            raise RegistrationError(msg) from error
        if state.caller is None and self._solver is None:
            self.app = self._respond  # without FastAPI's stacks of dependencies, which would be empty
        self.spec: Final = RouteSpec(
            method=method,
            path=route.path,
            pipeline=route.pipeline.name,
            promised=route.pipeline.promised,
            success_status=route.status,
            invalid_request=self._arguments.build_invalid_example(),
            has_body=self._arguments.has_body,
            needs_bearer=route.bearer,
            has_dependencies=bool(self.dependant.dependencies),
            can_refuse_callers=state.caller is not None or has_security_scheme(self.dependant),
            header_parameters=request.PARAMETERS,
            declared_statuses=tuple(int(status) for status in route.responses if str(status).isdecimal()),
        )

    @property
    def body(self) -> SuccessBody:
        """Return the serializer of successes."""
        return self._served.body

    def build_headers(self, value: object) -> Mapping[str, str]:
        """Return the headers of a success with *value*; raise `RegistrationError` if one is invalid."""
        headers = self._served.build_headers(value)
        check_headers(self.registration, headers)
        return headers

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

    def find_path_parameters(self, arguments: Mapping[str, object]) -> Mapping[str, object]:
        """Return those of the pipeline's *arguments* that are path parameters, as JSON values."""
        return {
            name: TypeAdapter[object](self.bound.parameters[name]).dump_python(value, mode="json")
            for name, value in arguments.items()
            if name in self._arguments.names_in_path
        }

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests (FastAPI, "Custom Request and APIRoute class")."""
        self._arguments = self._build_arguments()
        self._solver = solver = self._build_solver() if needs_solver(self.dependant) else None
        if solver is not None and self.registration.endpoint is None:
            _refuse_scalar(self.registration, self.dependant)
        called = CalledEndpoint(
            self.endpoint, self._request_name, self._request_type, self._arguments, solver
        )
        caller = self._served.state.caller
        identifier = None if caller is None else CallerIdentifier(caller, self)
        handler = Handler(called, self._served, identifier, requires_token=self.registration.bearer)
        self._handle = handler.handle
        return self._handle

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response to the request with this *scope*."""
        response = await self._handle(Request(scope, receive, send))
        await response(scope, receive, send)

    def _build_arguments(self) -> Arguments:
        body, in_path = find_body(self.endpoint, self.dependant), self.dependant.path_params
        fields = list_fields(self.dependant)
        _refuse_unused(self.registration, {field.alias for field in fields})
        names = {field.name for field in in_path}
        return Arguments(
            {name: TypeAdapter[object](self._hints[name]) for name in names},
            body,
            None if body is None else TypeAdapter[object](self._hints[body.name]),
            [field for field in fields if field.name not in names],
        )

    def _build_solver(self) -> DependencySolver:
        solved = SolvedEndpoint(
            self.endpoint,
            self._hints,
            self._request_name,
            self.dependant.response_param_name,
            list_query(self.dependant),
            has_other_query(self.dependant),
        )
        return DependencySolver(self, solved, self._arguments)


def build_routes(
    registrations: Iterable[Route], services: Mapping[str, object], state: GatewayState
) -> list[PipelineRoute]:
    """Return a route for each method of the *registrations*."""
    return [
        PipelineRoute(route, services, state, method) for route in registrations for method in route.methods
    ]


def _summarize(route: Route) -> str:
    return (route.pipeline.function.__doc__ or route.pipeline.name).strip().partition("\n")[0]


def _build_body(route: Route, bound: BoundPipeline) -> SuccessBody:
    """Return the serializer of successes; raise `RegistrationError` for a body with 204 or 205."""
    if route.status not in _WITHOUT_CONTENT:
        options = {
            "include": route.response_model_include,
            "exclude": route.response_model_exclude,
            "exclude_unset": route.response_model_exclude_unset,
            "exclude_defaults": route.response_model_exclude_defaults,
            "exclude_none": route.response_model_exclude_none,
        }
        given = {name: value for name, value in options.items() if value}
        by_alias = route.response_model_by_alias
        return ResponseSerializer(bound.returns, route.response_model, {"by_alias": by_alias, **given})
    if bound.returns is not type(None) or route.response_model is not None:
        name = bound.pipeline.name
        msg = f"{route}: a response with status {route.status} has no body, so {name} must return None"
        raise RegistrationError(msg)
    return EmptyBody()


def _refuse_unsafe(route: Route, method: str, bound: BoundPipeline) -> None:
    """Raise `RegistrationError` for a pipeline that writes under GET, a safe method (RFC 9110, 9.2.1)."""
    if method == "GET" and bound.is_commit_declared:
        msg = f"{route}: {route.pipeline.name} writes, which GET must not do; use another method"
        raise RegistrationError(msg)


def _refuse_unused(route: Route, taken: AbstractSet[str]) -> None:
    """Raise `RegistrationError` for path parameters that the endpoint does not take."""
    if unused := list_path_parameters(route) - taken:
        names = ", ".join(sorted(unused))
        msg = f"{route}: neither {route.pipeline.name} nor its endpoint takes the path parameter {names}"
        raise RegistrationError(msg)


def _refuse_scalar(route: Route, dependant: Dependant) -> None:
    """Raise `RegistrationError` for a scalar that FastAPI would take from the query, without an endpoint."""
    names = ", ".join(field.name for field in dependant.query_params)
    msg = f"{route}: {names} of {route.pipeline.name} would be a query parameter; use Route(endpoint=...)"
    raise RegistrationError(msg)
