"""Finds out what a pipeline does, by running it on examples."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import ParamSpec, TypeAlias, final

from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step
from gateway.railway import (
    SEQUENTIAL,
    CallInfo,
    CallKind,
    CallOutcome,
    CallSpan,
    CommitPolicy,
    Err,
    Failure,
    Ok,
    Pipeline,
    Result,
    RunContext,
    StageCall,
    StageSpan,
    Stub,
    current_context,
)

__all__ = ("DryRunError", "dry_run", "examples")

P = ParamSpec("P")
_Span: TypeAlias = StageSpan | CallSpan
_Track: TypeAlias = list[_Span]
"""What one task has done, one after the other."""


class DryRunError(Exception):
    """A pipeline cannot be run on examples; the message says why."""


def dry_run(pipeline: Pipeline[P, object, Failure], *args: P.args, **kwargs: P.kwargs) -> Plan:
    """Run *pipeline* on examples of what its calls give, and write down what it does; no service is asked.

    A write comes to its example as well, so that all stages are seen: those on the way that the arguments and
    the examples lead. Where the pipeline has context with a `stub`, that is asked first. Raises
    `DryRunError` if a call has no example, or if the pipeline fails in spite of them.

    It has a loop of its own, in a thread of its own, so that it can be called wherever things are wired.
    """
    heard = _Heard()
    given = pipeline.context or RunContext()
    around = replace(
        given, deadline=None, observer=heard, stub=_first_of(given.stub), execution_id="exe-example"
    )
    with ThreadPoolExecutor(max_workers=1) as alone:
        result = alone.submit(asyncio.run, pipeline.on(around)(*args, **kwargs)).result()
    if isinstance(result, Err):
        msg = (
            f"{pipeline.name} does not get through its rehearsal: {result.error.code}, {result.error.detail}"
        )
        raise DryRunError(msg)
    summary = (pipeline.function.__doc__ or "").strip().partition("\n")[0]
    return Plan(pipeline.name, summary, heard.stages)


def examples(call: CallSpan) -> Result[object, Failure]:
    """Answer *call* with its example; stands in for every service there is."""
    if call.kind is CallKind.UNDO:
        return Ok(None)
    if call.info is None:
        msg = f"{call.name} cannot be rehearsed: it has no info, and so no example"
        raise DryRunError(msg)
    try:
        return Ok(call.info.example)
    except LookupError as missing:
        msg = f"{call.name} cannot be rehearsed: {missing}"
        raise DryRunError(msg) from missing


def _first_of(stub: Stub | None) -> Stub:
    if stub is None:
        return examples
    return lambda call: stub(call) or examples(call)


@final
class _Heard:
    """Hears of a run, and makes stages of what it heard.

    The calls that one argument of a stage makes, one after the other, are made by one task, and in the order
    of the arguments where all is answered at once.
    """

    def __init__(self) -> None:
        self._tracks: dict[StageSpan | None, dict[object, list[_Span]]] = {}

    def stage_started(self, stage: StageSpan, /) -> None:
        self._hear(current_context().stage, stage)

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Nothing is left to be heard of it."""

    def call_started(self, call: CallSpan, /) -> None:
        self._hear(call.stage, call)

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Nothing is left to be heard of it."""

    @property
    def stages(self) -> tuple[PlannedStage, ...]:
        steps = [step for track in self._tracks_of(None) for step in self._steps(track)]
        stages = [
            step if isinstance(step, PlannedStage) else PlannedStage(None, None, (step,)) for step in steps
        ]
        commits = [place for place, stage in enumerate(stages) if isinstance(stage.policy, CommitPolicy)]
        return tuple(
            replace(stage, is_after_commit=any(commit < place for commit in commits))
            for place, stage in enumerate(stages)
        )

    def _hear(self, within: StageSpan | None, span: _Span) -> None:
        # Outside of stages there is one thing after the other, though a commit has a task of its own.
        task = within and asyncio.current_task()
        self._tracks.setdefault(within, {}).setdefault(task, []).append(span)

    def _tracks_of(self, within: StageSpan | None) -> list[_Track]:
        return [*self._tracks.get(within, {}).values()]

    def _stage(self, span: StageSpan) -> PlannedStage:
        tracks = self._tracks_of(span)
        if span.policy is SEQUENTIAL:  # by one task for all
            tracks = _parted(tracks[0], [call.name for call in span.calls])
        calls: list[PlannedCall] = []
        for call in span.calls:
            mine = next((track for track in tracks if track[0].name == call.name), list[_Span]())
            tracks = [track for track in tracks if track is not mine]
            calls.append(replace(self._call(call.name, mine, _need(call)), is_shaped=_is_shaped(call)))
        # What is known of one argument may lead to a call of another name.
        calls += [self._call(track[0].name, track, Need.REQUIRED) for track in tracks]
        return PlannedStage(span.name, span.policy, tuple(calls))

    def _call(self, name: str, track: _Track, need: Need) -> PlannedCall:
        match self._steps(track):
            case [PlannedCall() as call, *later]:
                need = Need.BEST_EFFORT if call.kind is Kind.WRITE and need is Need.OPTIONAL else need
                return replace(call, need=need, then=tuple(later))
            case steps:
                return PlannedCall(name, Kind.NOTHING, need if steps else Need.REQUIRED, then=tuple(steps))

    def _steps(self, track: _Track) -> list[Step]:
        return [self._stage(span) if isinstance(span, StageSpan) else _planned(span) for span in track]


def _parted(track: _Track, names: Sequence[str]) -> list[_Track]:
    """Part what one task has done for the calls called *names*, one after the other."""
    parts: list[_Track] = []
    left = [*names]
    for span in track:
        if not parts or (left and span.name == left[0]):
            parts.append([])
            left = left[1:]
        parts[-1].append(span)
    return parts


def _need(call: StageCall) -> Need:
    return Need.OPTIONAL if call.is_optional else Need.REQUIRED


def _is_shaped(call: StageCall) -> bool:
    return call.is_shaped and not call.is_optional and not call.is_write


def _planned(call: CallSpan) -> PlannedCall:
    kind = Kind.WRITE if call.kind is CallKind.WRITE else Kind.READ
    return PlannedCall(call.name, kind, undo=call.undo, refusals=_refusals(call.info))


def _refusals(info: CallInfo | None) -> tuple[type[Failure], ...]:
    return () if info is None else info.refusals
