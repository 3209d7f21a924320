"""Recorder of the stages, calls and requests of a run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, final

import httpx
from typing_extensions import override

from gateway.railway import (
    CallKind,
    CallOutcome,
    CallSpan,
    CommitStart,
    CommitState,
    Journal,
    Key,
    Observer,
    Ok,
    Rerun,
    StageCall,
    StageSpan,
    WriteOutcome,
)
from tests.matrix.call_graph import CallGraph, CallSpec, Kind
from tests.matrix.request_identity import identify_request

__all__ = ("RecordedCall", "RecordedStage", "RunRecorder")

_ALONE: Final = "settle"
"""Policy of a call that is awaited without a stage; any other policy would do."""


@final
@dataclass(slots=True)
class RecordedCall:
    """A call, with its last request and the outcome of its last attempt."""

    span: CallSpan
    sent: httpx.Request | None = None
    outcome: CallOutcome | None = None

    @property
    def request(self) -> httpx.Request:
        """Return the last request of the call."""
        assert self.sent is not None, self.span
        return self.sent

    @property
    def answer(self) -> object:
        """Return the value of the call, which must have succeeded."""
        assert isinstance(self.outcome, Ok), self.outcome
        return self.outcome.value


@final
@dataclass(frozen=True, slots=True)
class RecordedStage:
    """A stage, or a call that was awaited without one; its calls and their kinds in argument order."""

    name: str
    policy: str
    is_list: bool
    calls: Sequence[RecordedCall]
    kinds: Sequence[Kind]


@final
@dataclass
class RunRecorder(Observer, Journal):
    """Observer and journal that record a run; undos are not recorded."""

    _calls: list[RecordedCall] = field(default_factory=list[RecordedCall])
    _in_task: dict[object, RecordedCall] = field(default_factory=dict[object, RecordedCall])

    def record_request(self, request: httpx.Request) -> str:
        """Record *request*; return the name of the call that the current task makes, or "" without a call."""
        self.last = request
        call = self._in_task.get(asyncio.current_task())
        if call is None:
            return ""
        call.sent = request
        return call.span.name

    def identify(self, graph: CallGraph, request: httpx.Request) -> str:
        """Record *request*; return the name of its call in *graph*."""
        self.record_request(request)
        return identify_request(graph, request)

    @property
    def stages(self) -> Sequence[RecordedStage]:
        """Return the stages in the order in which they began."""
        by_stage: dict[object, list[RecordedCall]] = {}
        for call in self._calls:
            by_stage.setdefault(call.span.stage or call.span, []).append(call)
        return [_build_stage(calls) for calls in by_stage.values()]

    def find_outcome(self, graph: CallGraph, call: CallSpec) -> CallOutcome | None:
        """Return the outcome of the last attempt of *call*."""
        sent = [made for made in self._calls if made.sent is not None]
        (*_, last) = (made for made in sent if identify_request(graph, made.request) == call.name)
        return last.outcome

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        """Do nothing."""

    @override
    def stage_ended(self, stage: StageSpan, outcome: CallOutcome, /) -> None:
        """Do nothing."""

    @override
    def call_started(self, call: CallSpan, /) -> None:
        if call.kind is not CallKind.UNDO:
            made = RecordedCall(call)
            self._calls.append(made)
            self._in_task[asyncio.current_task()] = made

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        made = self._in_task.pop(asyncio.current_task(), None)
        if made is not None and made.span is call:
            made.outcome = outcome

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        """Do nothing."""

    @override
    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Do nothing."""

    @override
    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""

    @override
    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Do nothing."""


def _build_stage(calls: Sequence[RecordedCall]) -> RecordedStage:
    span = calls[0].span.stage
    if span is None:
        return RecordedStage("", _ALONE, is_list=False, calls=calls, kinds=("needed",))
    assert [call.span.name for call in calls] == [call.name for call in span.calls]
    return RecordedStage(
        span.name, span.policy.value, span.at_once is not None, calls, [*map(_classify, span.calls)]
    )


def _classify(call: StageCall) -> Kind:
    if call.is_write:
        return "write"
    return "optional" if call.is_optional else "needed"
