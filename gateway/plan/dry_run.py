"""Dry run: derive the plan of a pipeline by running it on example data, without calling a service."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, ParamSpec, TypeAlias, cast, final

from typing_extensions import override

from gateway.client.examples import NoExampleError
from gateway.plan.plan import Kind, Need, Plan, PlannedCall, PlannedStage, Step
from gateway.plan.user_frame import find_user_frame, format_user_frame
from gateway.railway import (
    SEQUENTIAL,
    Aggregate,
    CallInfo,
    CallKind,
    CallSpan,
    CommitPolicy,
    Err,
    Failure,
    Observer,
    Ok,
    Pipeline,
    Result,
    RunContext,
    RunMisused,
    StageCall,
    StageSpan,
    Stub,
    current_context,
)

__all__ = ("DryRun", "DryRunError", "dry_run", "examples", "skip_dry_run")

P = ParamSpec("P")
_Span: TypeAlias = StageSpan | CallSpan
_Track: TypeAlias = list[_Span]
"""The stages and calls that one task started, in order."""


_BROKEN_RULES: Final = (RunMisused, TypeError, AttributeError, NameError, ImportError)
"""Bugs whatever the examples: a rule of `Run` is broken, or a type checker would have found the bug."""


class DryRunError(Exception):
    """A pipeline breaks a rule; the message has the reason in a line, then the frame in the user's code."""


@final
@dataclass(frozen=True, slots=True)
class DryRun:
    """Result of a dry run: the *plan* of the pipeline, and the *value* that it returned.

    If the pipeline did not succeed with the examples, *obstacle* is the reason. Then the plan ends where the
    pipeline did, and the value is None.
    """

    plan: Plan
    value: object
    obstacle: str | None = None


def dry_run(pipeline: Pipeline[P, object, Failure], *args: P.args, **kwargs: P.kwargs) -> DryRun:
    """Run *pipeline*, answering each call with its example; return the plan and the value of the pipeline.

    Writes are answered with their examples too. So the plan has every stage that the pipeline reaches with
    these arguments and examples. A `stub` in the pipeline's context takes precedence over the examples.

    The pipeline may fail with these examples, or a call may have none: that is the `obstacle` of the result.
    Raise `DryRunError` if the pipeline breaks a rule, whatever the examples: `RunMisused`, a call with a
    wrong signature, a name or an attribute that does not exist.

    The run has its own event loop in its own thread, so that a coroutine can call this function too.
    """
    recorder = _Recorder()
    context = pipeline.context or RunContext()
    dry_context = replace(
        context,
        deadline=None,
        observer=recorder,
        stub=_add_examples(context.stub),
        execution_id="exe-example",
    )
    try:
        with ThreadPoolExecutor(max_workers=1) as thread:
            result = thread.submit(asyncio.run, pipeline.on(dry_context)(*args, **kwargs)).result()
    except Exception as bug:  # noqa: BLE001 - any other bug may be due to the examples
        _refuse_broken_rule(pipeline.name, bug)
        return DryRun(_build_plan(pipeline, recorder.stages), None, _describe_exception(bug))
    plan = _build_plan(pipeline, recorder.stages)
    match result:
        case Ok(value):
            return DryRun(plan, value)
        case Err(error):
            return DryRun(plan, None, _describe_failure(error))


def skip_dry_run(pipeline: Pipeline[..., object, Failure], obstacle: str) -> DryRun:
    """Return the result for a pipeline that cannot be run because of *obstacle*: a plan without stages."""
    return DryRun(_build_plan(pipeline, ()), None, obstacle)


def examples(call: CallSpan) -> Result[object, Failure]:
    """Return the example answer of *call*; raise `NoExampleError` if there is none.

    This function is the `Stub` of a dry run.
    """
    if call.kind is CallKind.UNDO:
        return Ok(None)
    if call.info is None:
        msg = f"no example for {call.name}: the call does not come from a ServiceClient"
        raise NoExampleError(msg)
    try:
        return Ok(call.info.example)
    except LookupError as missing:
        msg = f"no example for {call.name}: {missing}"
        raise NoExampleError(msg) from missing


def _refuse_broken_rule(name: str, error: Exception) -> None:
    """Raise `DryRunError` if *error*, or an exception of this group, does not depend on the examples."""
    if (broken := _find_broken_rule(error)) is not None:
        kind = "" if isinstance(broken, RunMisused) else f"{type(broken).__name__}: "
        msg = f"{name} breaks a rule: {kind}{broken}{format_user_frame(broken)}"
        raise DryRunError(msg) from error


def _find_broken_rule(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        within = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return next(filter(None, map(_find_broken_rule, within)), None)
    return error if isinstance(error, _BROKEN_RULES) else None


def _build_plan(pipeline: Pipeline[..., object, Failure], stages: tuple[PlannedStage, ...]) -> Plan:
    summary = (pipeline.function.__doc__ or "").strip().partition("\n")[0]
    return Plan(pipeline.name, summary, stages)


def _describe_failure(error: Failure) -> str:
    """Return a line with the code, source and detail of each fault."""
    faults = error.errors if isinstance(error, Aggregate) else (error,)
    described = (": ".join(filter(None, (fault.code, fault.source, fault.detail))) for fault in faults)
    return f"it fails with {'; '.join(described)}"


def _describe_exception(error: Exception) -> str:
    """Return a line with *error* and its place in the user's code."""
    if isinstance(error, NoExampleError):
        return str(error)
    frame = find_user_frame(error)
    where = "" if frame is None else f" ({frame.filename}:{frame.lineno}, in {frame.name})"
    return f"it raises {type(error).__name__}: {' '.join(str(error).split())}{where}"


def _add_examples(stub: Stub | None) -> Stub:
    if stub is None:
        return examples
    return lambda call: stub(call) or examples(call)


@final
class _Recorder(Observer):
    """Observer that records the stages and calls of a run as planned stages.

    Each argument of a stage has its own task, which makes its calls in sequence. With immediate answers the
    tasks start in argument order.
    """

    def __init__(self) -> None:
        self._tracks: dict[StageSpan | None, dict[object, list[_Span]]] = {}

    @override
    def stage_started(self, stage: StageSpan, /) -> None:
        self._record(current_context().stage, stage)

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self._record(call.stage, call)

    @property
    def stages(self) -> tuple[PlannedStage, ...]:
        steps = [step for track in self._tracks_of(None) for step in self._plan_steps(track)]
        stages = [
            step if isinstance(step, PlannedStage) else PlannedStage(None, None, (step,)) for step in steps
        ]
        commits = [index for index, stage in enumerate(stages) if isinstance(stage.policy, CommitPolicy)]
        return tuple(
            replace(stage, is_after_commit=any(commit < index for commit in commits))
            for index, stage in enumerate(stages)
        )

    def _record(self, within: StageSpan | None, span: _Span) -> None:
        # Spans outside any stage are sequential, even though a commit runs in a task of its own.
        task = within and asyncio.current_task()
        self._tracks.setdefault(within, {}).setdefault(task, []).append(span)

    def _tracks_of(self, within: StageSpan | None) -> list[_Track]:
        return [*self._tracks.get(within, {}).values()]

    def _plan_stage(self, span: StageSpan) -> PlannedStage:
        tracks = self._tracks_of(span)
        if span.policy is SEQUENTIAL:  # a single task makes every call
            tracks = _split_track(tracks[0], [call.name for call in span.calls])
        calls: list[PlannedCall] = []
        for call in span.calls:
            own = next((track for track in tracks if track[0].name == call.name), list[_Span]())
            tracks = [track for track in tracks if track is not own]
            calls.append(
                replace(self._plan_argument(call.name, own, _need_of(call)), is_shaped=_is_shaped(call))
            )
        # Each remaining track begins with a call that is bound to a constant of another name.
        calls += [self._plan_argument(track[0].name, track, Need.REQUIRED) for track in tracks]
        if span.at_once is not None:  # the calls for the items are alike
            calls = [*dict.fromkeys(calls)]
        return PlannedStage(span.name, span.policy, tuple(calls), at_once=span.at_once)

    def _plan_argument(self, name: str, track: _Track, need: Need) -> PlannedCall:
        match self._plan_steps(track):
            case [PlannedCall() as call, *later]:
                need = Need.BEST_EFFORT if call.kind is Kind.WRITE and need is Need.OPTIONAL else need
                return replace(call, need=need, then=tuple(later))
            case steps:
                return PlannedCall(name, Kind.NOTHING, need if steps else Need.REQUIRED, then=tuple(steps))

    def _plan_steps(self, track: _Track) -> list[Step]:
        return [self._plan_stage(span) if isinstance(span, StageSpan) else _plan_call(span) for span in track]


def _split_track(track: _Track, names: Sequence[str]) -> list[_Track]:
    """Split the track of a sequential commit, which has a single task, into a track for each of *names*."""
    parts: list[_Track] = []
    remaining = [*names]
    for span in track:
        if not parts or (remaining and span.name == remaining[0]):
            parts.append([])
            remaining = remaining[1:]
        parts[-1].append(span)
    return parts


def _need_of(call: StageCall) -> Need:
    return Need.OPTIONAL if call.is_optional else Need.REQUIRED


def _is_shaped(call: StageCall) -> bool:
    return call.is_shaped and not call.is_optional and not call.is_write


def _plan_call(call: CallSpan) -> PlannedCall:
    kind = Kind.WRITE if call.kind is CallKind.WRITE else Kind.READ
    return _add_info(PlannedCall(call.name, kind, undo=call.undo), call.info)


def _add_info(call: PlannedCall, info: CallInfo | None) -> PlannedCall:
    return call if info is None else replace(call, service=info.service, refusals=info.refusals)
