"""The route of a pipeline: parse the request, run the pipeline, answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast, final

from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from typing_extensions import override

from gateway.api import problems
from gateway.api.arguments import Arguments
from gateway.api.body import read, refuse_other_than_json
from gateway.api.disconnect import NoAnswer, while_connected
from gateway.api.exceptions import answered
from gateway.api.incoming import baggage, fields, path, patience, request_id
from gateway.api.openapi import PARAMETERS
from gateway.api.refusal import Refusal
from gateway.railway import Err, Failure, Ok, Result, Surroundings
from gateway.telemetry.trace import Trace

__all__ = ("PipelineRequest", "PipelineRoute", "Serving", "refuse_dependencies")

T = TypeVar("T")

_log: Final = logging.getLogger(__name__)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@final
@dataclass(frozen=True, slots=True)
class Serving:
    """How pipelines are served; the routes look for it in `app.state.serving`.

    *deadline* is what a request has at most, *optional_budget* what an optional call has in all, both in
    seconds. *on_trace* is handed what each request did, under a title such as `POST /checkout 200`; *clock*
    gives the seconds of its record.
    """

    deadline: float = 5.0
    optional_budget: float | None = 0.5
    on_trace: Callable[[str, Trace], None] | None = None
    clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class _Format:
    """How a success is written: with this status, as this type."""

    status: int
    kind: TypeAdapter[object]


@final
class PipelineRequest(Request):
    """A request for a pipeline: *surroundings* are what its run is given, and `answer` ends it."""

    def __init__(self, request: Request, surroundings: Surroundings, success: _Format) -> None:
        super().__init__(request.scope, request.receive)
        self.surroundings = surroundings
        self._success = success

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


class PipelineRoute(APIRoute):
    """The route of a pipeline: give it to a router as its `route_class`.

    Its endpoint takes path parameters, one body and its request (a `PipelineRequest`), and gives what
    `request.answer` made of the pipeline's result. The body is validated once, from its bytes, and the answer
    is written by pydantic's serializer for `response_model`. The order of checks: 415, 413, 400, 422. Every
    answer has `Server-Timing` and `Gateway-Completed`. If the client hangs up, the pipeline is cancelled.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's
        super().__init__(path, endpoint, **options)
        extra = self.openapi_extra or {}
        self.openapi_extra = {**extra, "parameters": [*PARAMETERS, *extra.get("parameters", ())]}

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
        self._success = _Format(route.status_code or HTTPStatus.OK, TypeAdapter(route.response_model))

    async def handle(self, request: Request) -> Response:
        """Answer *request*, whatever happens, and hand on the record of it."""
        arrival = asyncio.get_running_loop().time()
        serving = cast("Serving", request.app.state.serving)
        trace = Trace(serving.clock)
        try:
            response = await self._answer(request, arrival, serving, trace)
        except ClientDisconnect:
            return NoAnswer()
        except Exception as error:  # noqa: BLE001 - every one of them becomes an answer
            response = answered(error, request.scope)
        response.headers.setdefault("Gateway-Completed", "false")
        response.headers["Server-Timing"] = trace.server_timing()
        if serving.on_trace is not None:
            title = f"{request.method} {path(request.scope)} {response.status_code}"
            _shown(serving.on_trace, title, trace)
        return response

    async def _answer(self, request: Request, arrival: float, serving: Serving, trace: Trace) -> Response:
        sent = fields(request.scope)
        if self._arguments.has_body:
            refuse_other_than_json(sent)
        body = await _in_time(read(sent, request.receive), arrival + serving.deadline)
        deadline = arrival + min(serving.deadline, patience(sent))
        match self._arguments.read(request.path_params, body):
            case Ok(values):
                carried = baggage(sent, request_id(request.scope))
                around = Surroundings(deadline, serving.optional_budget, trace, carried)
                values[self._arguments.request] = PipelineRequest(request, around, self._success)
                return await while_connected(request.receive, self._endpoint(**values))
            case Err(error):
                return problems.answer(error, request.scope)


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
