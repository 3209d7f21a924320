"""FastAPI's solving of parameters and dependencies, for endpoints that take more than a path and a body."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, Final, cast, final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from gateway.api.dependency_overrides import DependencyOverrides
from gateway.api.pipeline_route.arguments import Arguments, ValidationErrors
from gateway.api.pipeline_route.registration import Endpoint
from gateway.api.pipeline_route.request import EndpointRequest
from gateway.api.problems.problem import ProblemResponse, build_problem_response
from gateway.api.problems.refusal import Refusal
from gateway.api.problems.violations import build_invalid

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ("DEPENDENCY_TIMEOUT", "DependencySolver", "SolvedEndpoint")

DEPENDENCY_TIMEOUT: Final = "The dependencies of the endpoint did not end before the deadline of the request"

_SOLVING: Final = "gateway_solving"
"""Key of the ASGI scope under which the endpoint finds its `_Solving`."""
_RESPONSE: Final = "gateway_response"
"""Name of the response parameter that is added to an endpoint without one."""
_WITHOUT_CONTENT: Final = frozenset(
    {HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT, HTTPStatus.NOT_MODIFIED}
)


@final
@dataclass(slots=True)
class _Solving:
    """The request whose dependencies are being solved; *arguments* receives the values that identify it."""

    body: bytearray
    limit: asyncio.Timeout
    arguments: dict[str, object]


@final
@dataclass(frozen=True, slots=True)
class SolvedEndpoint:
    """An endpoint *function* and its signature.

    *query* has the names of its query parameters by alias; *has_other_query* is true if a dependency takes
    query parameters.
    """

    function: Endpoint
    hints: Mapping[str, Any]
    request_name: str
    response_name: str | None
    query: Mapping[str, str]
    has_other_query: bool


@final
class DependencySolver:
    """Calls an endpoint with the arguments and dependencies that FastAPI finds for it.

    FastAPI solves a copy of the endpoint that has no body, because its own parsing of the body differs: it
    accepts NaN, and a strict model refuses a date or a decimal. The body is validated last, so that a
    dependency that refuses the caller is first.
    """

    def __init__(self, route: APIRoute, endpoint: SolvedEndpoint, arguments: Arguments) -> None:
        self._endpoint = endpoint
        self._arguments = arguments
        self._success = route.status_code
        inner = APIRoute(
            route.path,
            self._build_endpoint(),
            methods=route.methods,
            dependency_overrides_provider=DependencyOverrides(route),
        )
        self._solve: Callable[[Request], Coroutine[Any, Any, Response]] = inner.get_route_handler()

    async def respond(
        self, request: EndpointRequest, body: bytearray, deadline: float, arguments: dict[str, object]
    ) -> Response:
        """Return the endpoint's response; put the values that identify the request into *arguments*.

        Dependencies have until *deadline* on the event loop's clock; the endpoint itself is not cut off.
        Raise what a dependency or the endpoint raises, and `Refusal` at the deadline or for a body that is
        not JSON. For values that are not valid raise `RequestValidationError`, with the errors of the body.
        """
        limit = asyncio.timeout_at(deadline)
        try:
            async with limit:
                request.scope[_SOLVING] = _Solving(body, limit, arguments)
                return await self._solve(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise Refusal(code="timed-out", detail=DEPENDENCY_TIMEOUT) from None
        except RequestValidationError as invalid:
            _, errors = self._arguments.parse_body(body)
            raise RequestValidationError([*invalid.errors(), *_locate_in_body(errors)]) from None

    def _build_endpoint(self) -> Endpoint:
        """Return the endpoint without its body and with a response, for FastAPI."""
        own = self._endpoint

        async def endpoint(**values: Any) -> Response:  # noqa: ANN401 - values of the endpoint's own types
            return await self._call(values)

        parameters = {
            name: Parameter(
                name, Parameter.KEYWORD_ONLY, default=parameter.default, annotation=own.hints[name]
            )
            for name, parameter in signature(own.function).parameters.items()
            if self._arguments.body_name != name
        }
        if own.response_name is None:
            parameters[_RESPONSE] = Parameter(_RESPONSE, Parameter.KEYWORD_ONLY, annotation=Response)
        # Type checkers refuse a plain assignment: they know no such attribute of functions.
        setattr(endpoint, "__signature__", Signature([*parameters.values()]))  # noqa: B010
        return endpoint

    async def _call(self, values: dict[str, Any]) -> Response:
        endpoint, request = self._endpoint, values[self._endpoint.request_name]
        solving: _Solving = request.scope.pop(_SOLVING)
        solving.limit.reschedule(None)
        found, errors = self._arguments.parse_body(solving.body)
        if errors:
            return build_problem_response(build_invalid(errors), request.scope)
        name = endpoint.response_name
        own: Response = values.pop(_RESPONSE) if name is None else values[name]
        solving.arguments.update(self._identify(request, values), **found)
        return self._merge(await endpoint.function(**values, **found), own)

    def _identify(self, request: EndpointRequest, values: Mapping[str, object]) -> Mapping[str, object]:
        """Return the values in the path and in the query.

        Headers and dependencies are left out: a client that repeats its request may have another token.
        """
        endpoint = self._endpoint
        own = {f"?{alias}": values[name] for alias, name in endpoint.query.items()}
        identifying = {**request.path_params, **own}
        if endpoint.has_other_query:
            items = request.query_params.multi_items()
            identifying["?"] = sorted(item for item in items if item[0] not in endpoint.query)
        return identifying

    def _merge(self, answer: Response, own: Response) -> Response:
        """Add to a success the headers and the status that the endpoint or a dependency has set on *own*."""
        if isinstance(answer, ProblemResponse):
            return answer
        answer.headers.raw.extend(own.headers.raw)
        # FastAPI sets None, which Starlette's annotation does not allow for.
        status = cast("int | None", own.status_code)
        if status is not None and answer.status_code == self._success:
            if status in _WITHOUT_CONTENT:
                msg = f"the status {status} has no body; register the route with this status"
                raise TypeError(msg)
            answer.status_code = status
        return answer


def _locate_in_body(errors: ValidationErrors) -> list[Mapping[str, Any]]:
    return [{**error, "loc": ("body", *error["loc"])} for error in errors]
