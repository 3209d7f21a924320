"""Discovery of the call graph of a pipeline, by running it."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from http import HTTPStatus
from typing import Any, Final, final

import httpx
from pydantic import TypeAdapter

from gateway.api.pipeline_route.binding import bind
from gateway.app import connect
from gateway.railway import (
    BadAnswer,
    Err,
    Failure,
    Key,
    Ok,
    Result,
    RunContext,
    SentWrite,
    TimedOut,
    Unavailable,
    get_family,
)
from gateway.settings import default_settings
from tests.clock import AutojumpLoop
from tests.matrix.call_graph import CallGraph, CallSpec, DeclaredError, Lookup, Stage, UndoSpec
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import Script, Services
from tests.matrix.request_identity import format_content, read_key, without_ids
from tests.matrix.run_recorder import RecordedStage, RunRecorder
from tests.matrix.subject import PathParameters, Sample, Subject

__all__ = ("discover_call_graphs",)

_STATUSES: Final = tuple(status.value for status in HTTPStatus if 400 <= status < 500)
_KEY: Final = Key("key")
_LONG_ENOUGH: Final = 60.0
"""Seconds after which circuit breakers have forgotten earlier failures."""


@cache
def discover_call_graphs(subject: Subject) -> Mapping[str, CallGraph]:
    """Return the call graph of each pipeline of *subject*, by name.

    Each pipeline is run once to find its calls, and then once for each call and 4xx status to find the
    statuses that the call declares. The function runs its own event loop with a jumping clock, so it must be
    called outside any loop.
    """

    async def discover() -> Mapping[str, CallGraph]:
        return {sample.name: await _Discovery(subject, sample).discover() for sample in subject.samples}

    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        return runner.run(discover())


@final
class _Discovery:
    def __init__(self, subject: Subject, sample: Sample) -> None:
        self._subject = subject
        self._sample = sample
        self._services = Services(subject)
        connections = connect(subject.services, default_settings(subject.services), self._services)
        self._bound = bind(sample.route, {each.name: each.instance for each in connections})
        self._undos = {name: undo for each in connections for name, undo in each.client.undos.items()}

    async def discover(self) -> CallGraph:
        graph = await self._discover_stages()
        stages = [
            replace(
                stage, calls=tuple([await self._find_declared_errors(graph, call) for call in stage.calls])
            )
            for stage in graph.stages
        ]
        return replace(graph, stages=tuple(stages))

    async def _discover_stages(self) -> CallGraph:
        recorder = RunRecorder()
        result = await self._run(Script(recorder.record_request), recorder)
        assert isinstance(result, Ok), result
        assert not result.lacks
        names = Counter(call.span.name for stage in recorder.stages for call in stage.calls)
        numbers = {name: iter(range(count)) for name, count in names.items() if count > 1}
        stages = [await self._describe_stage(recorder, stage, numbers) for stage in recorder.stages]
        return CallGraph(self._sample.name, tuple(stages))

    async def _describe_stage(
        self, recorder: RunRecorder, stage: RecordedStage, numbers: Mapping[str, Iterator[int]]
    ) -> Stage:
        calls = [
            await self._describe_call(recorder, stage, place, numbers) for place in range(len(stage.calls))
        ]
        return Stage(stage.name, stage.policy, tuple(calls), stage.is_list)

    async def _describe_call(
        self, recorder: RunRecorder, stage: RecordedStage, place: int, numbers: Mapping[str, Iterator[int]]
    ) -> CallSpec:
        """Describe the call at *place* of *stage*; *numbers* tells calls of the same name apart."""
        call, service = stage.calls[place], self._services.find_service(stage.calls[place].request)
        request, source = call.request, call.span.name
        is_repeated = source in numbers
        return CallSpec(
            f"{source}[{next(numbers[source])}]" if is_repeated else source,
            source,
            place,
            stage.kinds[place],
            request.method,
            without_ids(request.url.path),
            is_write=read_key(service, request) is not None,
            undo=None
            if call.span.undo is None
            else await self._find_undo(recorder, call.span.undo, call.answer),
            content=format_content(request) if is_repeated else None,
            has_body=call.answer is not None,
        )

    async def _find_undo(self, recorder: RunRecorder, name: str, answer: object) -> UndoSpec:
        """Return the undo *name*; make it without the answer of its write, and with *answer*."""
        await self._undos[name].attempt(SentWrite(_KEY))
        first = recorder.last
        await self._undos[name].attempt(SentWrite(_KEY, answer))
        request = recorder.last
        is_by_key = first.url == request.url
        return UndoSpec(
            name,
            request.method,
            request.url.path.removesuffix(_KEY),
            lookup=None if is_by_key else self._describe_lookup(name, first),
        )

    def _describe_lookup(self, undo: str, request: httpx.Request) -> Lookup:
        service = self._services.find_service(request)
        lag = self._subject.search_lags.get(service.name, 0.0)
        return Lookup(f"look-up of {undo}", request.method, request.url.path, lag, service.settling_ms / 1000)

    async def _find_declared_errors(self, graph: CallGraph, call: CallSpec) -> CallSpec:
        """Return *call* with its declared errors: for every 4xx, and for an empty list."""
        faults = [Fault("probe", "empty", 200), *(Fault("probe", "status", status) for status in _STATUSES)]
        declared = [await self._find_error(graph, call, fault) for fault in faults]
        return replace(call, declared=tuple(error for error in declared if error is not None))

    async def _find_error(self, graph: CallGraph, call: CallSpec, fault: Fault) -> DeclaredError | None:
        """Return the error of *call* for *fault*, None if it is a fault of the service."""
        recorder = RunRecorder()
        result = await self._run(Script(partial(recorder.identify, graph), {call.name: fault}), recorder)
        await asyncio.sleep(_LONG_ENOUGH)
        match recorder.find_outcome(graph, call):
            case Err(error):
                return _declare(fault.status, error)
            case Ok() if fault.kind == "empty":
                return _declare_empty(result)
            case outcome:
                raise AssertionError(outcome)

    async def _run(self, script: Script, recorder: RunRecorder) -> Result[object, Failure]:
        path = await self._services.begin(script, self._sample)
        context = RunContext(observer=recorder, journal=recorder)
        return await self._bound.run(context, **self._build_arguments(path))

    def _build_arguments(self, path: PathParameters) -> Mapping[str, object]:
        given = {**path, **self._sample.arguments}
        return {
            name: TypeAdapter[Any](annotation).validate_python(given.get(name, self._sample.body))
            for name, annotation in self._bound.parameters.items()
        }


def _declare(status: int, error: Failure) -> DeclaredError | None:
    if isinstance(error, BadAnswer | Unavailable | TimedOut):
        return None
    family = get_family(type(error)).code
    return DeclaredError(status, family, None if error.code == family else error.code)


def _declare_empty(result: Result[object, Failure]) -> DeclaredError | None:
    """Return the error that the pipeline derives from an empty list, if any."""
    match result:
        case Err(error) if (declared := _declare(200, error)) is not None:
            return replace(declared, detail=error.detail)
        case Ok(lacks=lacks) if lacks:
            return DeclaredError(200, "not-found")  # of an optional call, so no response shows it
        case _:
            return None
