"""Finds out what a pipeline calls, by running it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from http import HTTPStatus
from typing import Final, final

import httpx
from typing_extensions import override

from gateway.client.service_client import ServiceClient
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
from gateway.services import Upstreams
from gateway.settings import SERVICES, Settings
from tests.clock import AutojumpLoop
from tests.matrix.call_graph import Called, Kind, Shape, Stage, Undone
from tests.matrix.faults import Fault
from tests.matrix.faulty_services import Script, Services
from tests.matrix.sample_requests import SAMPLES, Sample

__all__ = ("named", "shapes")

_STATUSES: Final = tuple(status.value for status in HTTPStatus if 400 <= status < 500)
_KEY: Final = Key("key")
_A_WHILE: Final = 60.0
"""Long enough for a service not to be held to what befell it."""


@cache
def shapes() -> Mapping[str, Shape]:
    """Run each pipeline once for its calls, and then often for the statuses that each of them declares.

    On a clock that jumps, and outside any other loop.
    """

    async def found() -> Mapping[str, Shape]:
        return {sample.name: await _Discovery(sample).shape() for sample in SAMPLES}

    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        return runner.run(found())


def named(shape: Shape, request: httpx.Request) -> str:
    """Say which call or undo of *shape* a request is."""
    method, path = request.method, request.url.path
    for call in shape.calls:
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
        urls = Settings().urls
        self._up = Upstreams.behind(
            {name: ServiceClient(name, urls[name], self._services, timeout=1.0) for name in SERVICES}
        )

    async def shape(self) -> Shape:
        shape = await self._stages()
        stages = [
            replace(stage, calls=tuple([await self._probed(shape, call) for call in stage.calls]))
            for stage in shape.stages
        ]
        return replace(shape, stages=tuple(stages))

    async def _stages(self) -> Shape:
        ear = _Ear()
        self._services.begin(Script(ear.heard))
        result = await self._sample.run(self._under(ear), self._up)
        assert isinstance(result, Ok), result
        undos = {name: await self._undone(ear, name) for name in self._up.undos}
        stages = tuple(
            Stage(
                span.name,
                span.policy.value,
                tuple(ear.called(span, place, undos) for place in range(len(span.calls))),
            )
            for span in ear.stages
        )
        shape = Shape(self._sample.name, stages)
        # Calls are known by their names from here on.
        assert len({call.name for call in shape.calls}) == len(shape.calls)
        return shape

    async def _undone(self, ear: "_Ear", name: str) -> Undone:
        await self._up.undos[name].attempt(_KEY)
        request = ear.last
        assert request.url.path.endswith(_KEY)
        return Undone(name, request.method, request.url.path.removesuffix(_KEY))

    async def _probed(self, shape: Shape, call: Called) -> Called:
        """Refuse *call* with each 4xx: one that is declared is not taken for a fault of the service."""
        declared = [status for status in _STATUSES if await self._means_something(shape, call, status)]
        return replace(call, declared=tuple(declared))

    async def _means_something(self, shape: Shape, call: Called, status: int) -> bool:
        ear = _Ear()
        fault = Fault("probed", "status", status)
        self._services.begin(Script(partial(named, shape), {call.name: fault}))
        await self._sample.run(self._under(ear), self._up)
        await asyncio.sleep(_A_WHILE)
        outcome = ear.outcomes[call.name]
        assert isinstance(outcome, Err)
        return not isinstance(outcome.error, BadAnswer | Unavailable | TimedOut)

    def _under(self, ear: "_Ear") -> RunContext:
        return RunContext(observer=ear, journal=ear)


def _kind(call: StageCall) -> Kind:
    if call.is_write:
        return "write"
    return "optional" if call.is_optional else "needed"


@final
@dataclass
class _Ear(Observer, Journal):
    """Hears what a run does, and what it says it will do."""

    stages: list[StageSpan] = field(default_factory=list[StageSpan])
    outcomes: dict[str, CallOutcome] = field(default_factory=dict[str, CallOutcome])
    _intents: dict[str, Intent] = field(default_factory=dict[str, Intent])
    _requests: dict[str, httpx.Request] = field(default_factory=dict[str, httpx.Request])
    _calling: dict[object, str] = field(default_factory=dict[object, str])

    def heard(self, request: httpx.Request) -> str:
        """Note which call makes *request*: two at once are in tasks of their own."""
        self.last = request
        name = self._calling.get(asyncio.current_task(), "")
        self._requests[name] = request
        return name

    def called(self, stage: StageSpan, place: int, undos: Mapping[str, Undone]) -> Called:
        """Give the call at *place* of *stage*."""
        name = stage.calls[place].name
        request = self._requests[name]
        kind = _kind(stage.calls[place])
        intent = self._intents.get(name)
        return Called(
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
        """Hear nothing new."""

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
        """Forget it."""

    @override
    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Forget it."""
