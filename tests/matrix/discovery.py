"""Discovery of the call graph of a pipeline, by running it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from http import HTTPStatus
from typing import Final, final

import httpx
from typing_extensions import override

from gateway.railway import (
    BadAnswer,
    CallOutcome,
    CallSpan,
    CommitStart,
    CommitState,
    Err,
    Intent,
    Journal,
    Key,
    Observer,
    Ok,
    RunContext,
    StageCall,
    StageSpan,
    TimedOut,
    Unavailable,
    WriteOutcome,
)
from tests.clock import AutojumpLoop
from tests.matrix.call_graph import CallGraph, CallSpec, Kind, Stage, UndoSpec
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import Script, Services
from tests.matrix.sample_requests import SAMPLES, Sample
from tests.shipped_services import ShippedServices

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
        return {sample.name: await _Discovery(sample).discover() for sample in SAMPLES}

    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        return runner.run(discover())


def identify_request(graph: CallGraph, request: httpx.Request) -> str:
    """Return the name of the call or undo of *graph* that *request* belongs to."""
    method, path = request.method, request.url.path
    for call in graph.calls:
        if (call.method, call.path) == (method, path):
            return call.name
        undo = call.undo
        if undo is not None and undo.method == method and path.startswith(undo.path):
            return undo.name
    raise AssertionError(request)


@final
class _Discovery:
    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._services = Services()
        self._up = ShippedServices.over(self._services)

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
        recorder = _Recorder()
        self._services.begin(Script(recorder.record_request))
        result = await self._sample.run(self._create_context(recorder), self._up)
        assert isinstance(result, Ok), result
        undos = {name: await self._find_undo(recorder, name) for name in self._up.undos}
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

    async def _find_undo(self, recorder: "_Recorder", name: str) -> UndoSpec:
        await self._up.undos[name].attempt(_KEY)
        request = recorder.last
        assert request.url.path.endswith(_KEY)
        return UndoSpec(name, request.method, request.url.path.removesuffix(_KEY))

    async def _find_declared_statuses(self, graph: CallGraph, call: CallSpec) -> CallSpec:
        """Return *call* with its declared statuses: every 4xx that is not reported as an upstream fault."""
        declared = [status for status in _STATUSES if await self._is_declared(graph, call, status)]
        return replace(call, declared=tuple(declared))

    async def _is_declared(self, graph: CallGraph, call: CallSpec, status: int) -> bool:
        recorder = _Recorder()
        fault = Fault("probe", "status", status)
        self._services.begin(Script(partial(identify_request, graph), {call.name: fault}))
        await self._sample.run(self._create_context(recorder), self._up)
        await asyncio.sleep(_LONG_ENOUGH)
        outcome = recorder.outcomes[call.name]
        assert isinstance(outcome, Err)
        return not isinstance(outcome.error, BadAnswer | Unavailable | TimedOut)

    def _create_context(self, recorder: "_Recorder") -> RunContext:
        return RunContext(observer=recorder, journal=recorder)


def _classify(call: StageCall) -> Kind:
    if call.is_write:
        return "write"
    return "optional" if call.is_optional else "needed"


@final
@dataclass
class _Recorder(Observer, Journal):
    """Observer and journal that record the stages, calls and requests of a run."""

    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    outcomes: dict[str, CallOutcome] = field(default_factory=dict[str, CallOutcome])
    _intents: dict[str, Intent] = field(default_factory=dict[str, Intent])
    _requests: dict[str, httpx.Request] = field(default_factory=dict[str, httpx.Request])
    _calling: dict[object, str] = field(default_factory=dict[object, str])

    def record_request(self, request: httpx.Request) -> str:
        """Record *request*; return the name of the call that the current task makes, or "" without a call."""
        self.last = request
        name = self._calling.get(asyncio.current_task(), "")
        self._requests[name] = request
        return name

    def spec_of(self, stage: StageSpan, place: int, undos: Mapping[str, UndoSpec]) -> CallSpec:
        """Return the call at *place* of *stage*."""
        name = stage.calls[place].name
        request = self._requests[name]
        kind = _classify(stage.calls[place])
        intent = self._intents.get(name)
        return CallSpec(
            name,
            place,
            kind,
            request.method,
            request.url.path,
            "idempotency-key" in request.headers,
            undos[intent.undo] if intent is not None and intent.undo is not None else None,
        )

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self.stages.append(stage)

    @override
    def stage_ended(self, stage: StageSpan, /) -> None:
        """Do nothing."""

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self._calling[asyncio.current_task()] = call.name

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.outcomes[call.name] = outcome

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        self._intents = {intent.name: intent for intent in commit.intents}

    @override
    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Do nothing."""

    @override
    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""
