"""The route of a pipeline: parse the request, run the pipeline, answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast, final

from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from typing_extensions import override

from gateway.api.openapi.document import narrowed, parameter
from gateway.api.pipeline_route.arguments import Arguments, request_type
from gateway.api.pipeline_route.body import read, refuse_other_than_json
from gateway.api.pipeline_route.disconnect import NoAnswer, while_connected
from gateway.api.pipeline_route.headers import baggage, bearer, fields, path, patience, request_id
from gateway.api.pipeline_route.request import Asked, PipelineRequest, Serving, Success
from gateway.api.problems import problem as problems
from gateway.api.problems.exception_handlers import answered
from gateway.api.problems.refusal import Refusal
from gateway.observability.trace import Trace
from gateway.railway import Err, Ok, RunContext, Unauthorized

__all__ = ("PipelineRequest", "PipelineRoute", "Serving", "refuse_dependencies")

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_TOKEN_WANTED: Final = Unauthorized("A bearer token is required, in the header Authorization: Bearer TOKEN")


class PipelineRoute(APIRoute):
    """The route of a pipeline: give it to a router as its `route_class`.

    Its endpoint takes path parameters, one body and its request: a `PipelineRequest`, and gives what
    `request.answer` made of the pipeline's result; or, where the pipeline writes, a `CommitRequest`, and
    gives what `request.commit` did. With `openapi_extra=BEARER` it wants a bearer token, `request.token`.

    The body is validated once, from its bytes, and the answer is written by pydantic's serializer for
    `response_model`. The order of checks: 429, 503 where the gateway has enough to do, 415, 413, 400 for a
    header, 401, 400 for what is not JSON, 422. Every answer has `Server-Timing` and `Gateway-Completed`. If
    the client hangs up, a pipeline that has not begun to write is cancelled.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(path, endpoint, **options)
        extra = self.openapi_extra or {}
        arguments = Arguments(self)
        self.responses = {**self.responses}
        narrowed(self.responses, has_body=arguments.has_body, invalid=arguments.example)
        own = (parameter(name) for name in request_type(endpoint).PARAMETERS)
        self.openapi_extra = {**extra, "parameters": [*own, *extra.get("parameters", ())]}

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Make what answers a request (FastAPI, "Custom Request and APIRoute class")."""
        return _Handler(self).handle


def refuse_dependencies(routes: Sequence[BaseRoute]) -> None:
    """Raise `TypeError` if a pipeline's route was included with dependencies: it would not keep them.

    Those that stand on the route or its router are refused when it is made.
    """
    for route in iter_route_contexts(routes):
        if isinstance(route.original_route, PipelineRoute) and route.dependencies:
            msg = f"{route.path}: a pipeline's route keeps no dependencies"
            raise TypeError(msg)


@final
class _Handler:
    def __init__(self, route: APIRoute) -> None:
        self._arguments = Arguments(route)
        self._endpoint = route.endpoint
        self._request = request_type(route.endpoint)
        self._wants_token = "security" in (route.openapi_extra or {})
        self._success = Success(route.status_code or HTTPStatus.OK, TypeAdapter(route.response_model))

    async def handle(self, request: Request) -> Response:
        """Answer *request*, whatever happens, and hand on the record of it."""
        arrival = asyncio.get_running_loop().time()
        serving = _serving(request)
        visit = serving.admission.visit(request.scope, arrival)
        trace = Trace(serving.clock)
        try:
            visit.knock()
            body = await self._body(request, arrival + serving.deadline)
            with visit:
                response = await self._answer(request, body, arrival, trace)
        except ClientDisconnect:
            return NoAnswer()
        except Exception as error:  # noqa: BLE001 - every one of them becomes an answer
            response = answered(error, request.scope)
        response.headers.setdefault("Gateway-Completed", "false")
        response.headers["Server-Timing"] = trace.server_timing()
        response.headers.update(visit.headers)
        if serving.on_trace is not None:
            title = f"{request.method} {path(request.scope)} {response.status_code}"
            _shown(serving.on_trace, title, trace)
        return response

    async def _body(self, request: Request, deadline: float) -> bytearray:
        sent = fields(request.scope)
        if self._arguments.has_body:
            refuse_other_than_json(sent)
        return await _in_time(read(sent, request.receive), deadline)

    async def _answer(self, request: Request, body: bytearray, arrival: float, trace: Trace) -> Response:
        serving = _serving(request)
        sent = fields(request.scope)
        deadline = arrival + min(serving.deadline, patience(sent))
        self._request.check(sent)
        token = bearer(sent) if self._wants_token else None
        if self._wants_token and token is None:
            return problems.answer(_TOKEN_WANTED, request.scope)
        match self._arguments.read(request.path_params, body):
            case Ok(values):
                carried = baggage(sent, request_id(request.scope))
                around = RunContext(deadline, serving.optional_budget, trace, carried)
                asked = self._request(request, around, self._success, Asked(sent, values, token))
                work = self._endpoint(**values, **{self._arguments.request: asked})
                return await while_connected(request.receive, work)
            case Err(error):
                return problems.answer(error, request.scope)


def _serving(request: Request) -> Serving:
    return cast("Serving", request.app.state.serving)


async def _in_time(reading: Awaitable[T], deadline: float) -> T:
    """Read until *deadline* on the loop's clock: whoever sends slowly must not keep a connection for it."""
    limit = asyncio.timeout_at(deadline)
    try:
        async with limit:
            return await reading
    except TimeoutError:
        detail = "The body did not arrive in time"
        raise Refusal(code="request-timeout", detail=detail, headers={"Connection": "close"}) from None


def _shown(on_trace: Callable[[str, Trace], None], title: str, trace: Trace) -> None:
    try:
        on_trace(title, trace)
    except Exception:  # noqa: BLE001 - what is only shown must not cost anybody the answer
        _log.exception("what %s did could not be shown", title)
