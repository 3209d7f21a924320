"""Discovery of the call graph of a pipeline, by running it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from http import HTTPStatus
from typing import Final, final

import httpx
from typing_extensions import override

from gateway.railway import (
    SETTLE,
    BadAnswer,
    CallOutcome,
    CallSpan,
    CommitStart,
    CommitState,
    Err,
    Failure,
    Intent,
    Journal,
    Key,
    Observer,
    Ok,
    RunContext,
    SentWrite,
    StageCall,
    StageSpan,
    TimedOut,
    Unavailable,
    WriteOutcome,
    get_family,
)
from tests.clock import AutojumpLoop
from tests.matrix.call_graph import CallGraph, CallSpec, Kind, Stage, UndoSpec
from tests.matrix.expected_answers import STATUSES
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import Script, Services
from tests.matrix.sample_requests import COURIER_SAMPLES, SAMPLES
from tests.matrix.subject import Connected, Sample

__all__ = ("discover_call_graphs", "identify_request")

_STATUSES: Final = tuple(status.value for status in HTTPStatus if 400 <= status < 500)
_KEY: Final = Key("key")
_LONG_ENOUGH: Final = 60.0
"""Seconds after which circuit breakers have forgotten earlier failures."""


@cache
def discover_call_graphs() -> Mapping[str, CallGraph]:
    """Return the call graph of each pipeline, by name.

    Each pipeline is run once to find its calls, and then once for each call and 4xx status to find the
    statuses that the call declares. The function runs its own event loop with a jumping clock, so it must be
    called outside any loop.
    """

    async def discover() -> Mapping[str, CallGraph]:
        return {sample.name: await _Discovery(sample).discover() for sample in (*SAMPLES, *COURIER_SAMPLES)}

    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        return runner.run(discover())


def identify_request(graph: CallGraph, request: httpx.Request) -> str:
    """Return the name of the call or undo of *graph* that *request* belongs to."""
    method, path = request.method, request.url.path
    calls = [call for call in graph.calls if (call.method, call.path) == (method, path)]
    if len(calls) > 1:  # several calls of an operation, with different queries
        calls = [call for call in calls if call.query == request.url.query]
    for call in calls:
        return call.name
    for undo in (call.undo for call in graph.calls if call.undo is not None):
        if undo.find == (method, path):
            return undo.find_name
        if undo.method == method and path.startswith(undo.path):
            return undo.name
    raise AssertionError(request)


@final
class _Discovery:
    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._services = Services(sample.subject)
        self._up = Connected.over(sample.subject, self._services)

    async def discover(self) -> CallGraph:
        graph = await self._discover_stages()
        stages = [
            replace(
                stage, calls=tuple([await self._find_declared_statuses(graph, call) for call in stage.calls])
            )
            for stage in graph.stages
        ]
        return replace(graph, stages=tuple(stages))

    async def _discover_stages(self) -> CallGraph:
        recorder = _Recorder(self._services)
        self._services.begin(Script(recorder.record_request))
        result = await self._sample.run(self._create_context(recorder), self._up)
        assert isinstance(result, Ok), result
        found = [await self._find_undo(recorder, intent) for intent in recorder.list_undoable()]
        undos = {undo.name: undo for undo in found}
        stages = tuple(
            Stage(
                span.name,
                span.policy.value,
                tuple(recorder.spec_of(span, place, undos) for place in range(len(span.calls))),
            )
            for span in recorder.stages
        )
        graph = CallGraph(self._sample.name, stages)
        # Names identify calls from here on.
        assert len({call.name for call in graph.calls}) == len(graph.calls)
        return graph

    async def _find_undo(self, recorder: "_Recorder", intent: Intent) -> UndoSpec:
        """Return the undo of a write; if it has a look-up, that is the first request without the answer."""
        name, subject = f"{intent.undo}", self._sample.subject
        undo = self._up.undos[name]
        answer = recorder.outcomes[intent.name]
        assert isinstance(answer, Ok)
        await undo.attempt(SentWrite(_KEY))
        first = recorder.last
        await undo.attempt(SentWrite(_KEY, answer=answer.value))
        request = recorder.last
        has_find = (first.method, first.url.path) != (request.method, request.url.path)
        return UndoSpec(
            name,
            request.method,
            request.url.path.rpartition("/")[0] + "/" if request.method == "DELETE" else request.url.path,
            (first.method, first.url.path) if has_find else None,
            subject.settling.get(name, 0.0),
            subject.lag.get(name, 0.0),
        )

    async def _find_declared_statuses(self, graph: CallGraph, call: CallSpec) -> CallSpec:
        """Return *call* with its declared statuses: every 4xx that is not a fault of the service."""
        errors = {status: await self._find_error(graph, call, status) for status in _STATUSES}
        declared = {
            status: error
            for status, error in errors.items()
            if not isinstance(error, BadAnswer | Unavailable | TimedOut)
        }
        own_codes = [
            (status, (STATUSES[get_family(type(error)).code], error.code))
            for status, error in declared.items()
            if get_family(type(error)).code != error.code
        ]
        return replace(call, declared=tuple(declared), own_codes=tuple(own_codes))

    async def _find_error(self, graph: CallGraph, call: CallSpec, status: int) -> Failure:
        """Return the error of *call* if its service sends *status*."""
        recorder = _Recorder(self._services)
        fault = Fault("probe", "status", status)
        self._services.begin(Script(partial(identify_request, graph), {call.name: fault}))
        await self._sample.run(self._create_context(recorder), self._up)
        await asyncio.sleep(_LONG_ENOUGH)
        outcome = recorder.outcomes[call.name]
        assert isinstance(outcome, Err)
        return outcome.error

    def _create_context(self, recorder: "_Recorder") -> RunContext:
        return RunContext(observer=recorder, journal=recorder)


def _classify(call: StageCall) -> Kind:
    if call.is_write:
        return "write"
    return "optional" if call.is_optional else "needed"


@final
class _Recorder(Observer, Journal):
    """Observer and journal that record the stages, calls and requests of a run to *services*.

    A call that is made outside any stage is recorded as a stage of its own.
    """

    def __init__(self, services: Services) -> None:
        self.stages: list[StageSpan] = []
        self.outcomes: dict[str, CallOutcome] = {}
        self._services = services
        self._intents: dict[str, Intent] = {}
        self._requests: dict[str, httpx.Request] = {}
        self._calling: dict[object, str] = {}
        self._names: dict[CallSpan, str] = {}

    def list_undoable(self) -> Sequence[Intent]:
        """Return the writes of the commit that have an undo."""
        return [intent for intent in self._intents.values() if intent.undo is not None]

    def record_request(self, request: httpx.Request) -> str:
        """Record *request*; return the name of the call that the current task makes, or "" without a call."""
        self.last = request
        name = self._calling.get(asyncio.current_task(), "")
        self._requests[name] = request
        return name

    def spec_of(self, stage: StageSpan, place: int, undos: Mapping[str, UndoSpec]) -> CallSpec:
        """Return the call at *place* of *stage*."""
        name, operation = _list_names(stage)[place], stage.calls[place].name
        request, intent = self._requests[name], self._intents.get(operation)
        return CallSpec(
            name,
            place,
            _classify(stage.calls[place]),
            request.method,
            request.url.path,
            self._services.find_key(request) is not None,
            undos[intent.undo] if intent is not None and intent.undo is not None else None,
            operation=operation,
            query=request.url.query,
            item=None if stage.at_once is None else place,
        )

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)

    @override
    def stage_ended(self, stage: StageSpan, /) -> None:
        """Do nothing."""

    @override
    def call_started(self, call: CallSpan, /) -> None:
        stage = call.stage
        if stage is None:
            stage = StageSpan("no stage", (StageCall(call.name),), SETTLE)
            self.stages.append(stage)
        begun = [name for other, name in self._names.items() if other.name == call.name]
        same = [
            name for name, it in zip(_list_names(stage), stage.calls, strict=True) if it.name == call.name
        ]
        self._names[call] = self._calling[asyncio.current_task()] = same[len({*same} & {*begun})]

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.outcomes[self._names[call]] = outcome

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        self._intents = {intent.name: intent for intent in commit.intents}

    @override
    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Do nothing."""

    @override
    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""


def _list_names(stage: StageSpan) -> Sequence[str]:
    """Return a unique name for each call of *stage*: that of the operation, with its place if repeated."""
    operations = [call.name for call in stage.calls]
    return [
        name if operations.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(operations)
    ]
