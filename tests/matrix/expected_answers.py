"""Expected result of each cell: an independent second implementation of the rules.

A call ends with its fault, unless a retry succeeds (`expected_attempts`); a stage ends with the results of
its calls, by its policy; a failed commit also undoes what may have been written. Nothing here depends on a
pipeline or on the code of the gateway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, final

from tests.matrix.call_graph import CallGraph, CallSpec, Stage
from tests.matrix.cells import Cell
from tests.matrix.expected_attempts import DEADLINE, Course, predict_course, predict_undo_attempts
from tests.matrix.faults import NO_FAULT, Fault

__all__ = ("ExpectedFailure", "ExpectedResult", "Outcome", "expect_result")

Outcome: TypeAlias = Literal["done", "refused", "undone", "stuck"]

_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    409: "conflict",
    410: "gone",
    412: "precondition-failed",
    422: "invalid",
    429: "rate-limited",
    500: "stuck",
    502: "bad-answer",
    503: "unavailable",
    504: "timed-out",
}
_TAKES_EFFECT: Final = frozenset({"none", "halved", "lost"})
"""Faults of a write that takes effect nevertheless."""


@final
@dataclass(frozen=True, slots=True)
class ExpectedFailure:
    """One failure in the response; *retry_after* in seconds, *detail* if it is that of the service."""

    status: int
    source: str | None
    retry_after: int | None = None
    detail: str | None = None

    @property
    def code(self) -> str:
        return _CODES[self.status]


@final
@dataclass(frozen=True, slots=True)
class ExpectedResult:
    """The expected response and final state.

    *parts* are the failures, *missing* the failed optional calls of a success. The first response takes
    *seconds*, or up to a second more; if the commit *outlasts* the deadline, it is a 202. *attempts* counts
    the attempts of each call and undo that is made at all. *writes* are the outcomes of the commit's writes
    (None if it does not begin), *standing* the writes that are in effect at the end.
    """

    status: int
    parts: tuple[ExpectedFailure, ...] = ()
    missing: tuple[str, ...] = ()
    outlasts: bool = False
    seconds: float = 0.0
    attempts: Mapping[str, range] = field(default_factory=dict[str, range])
    writes: Mapping[str, Outcome] | None = None
    standing: frozenset[str] = frozenset()

    @property
    def code(self) -> str | None:
        if not self.parts:
            return None
        return self.parts[0].code if len(self.parts) == 1 else "aggregate"

    @property
    def retry_after(self) -> int | None:
        """The longest Retry-After of the parts, if the status has one."""
        waits = [part.retry_after for part in self.parts if part.retry_after is not None]
        return max(waits) if waits and self.status in {429, 503} else None


def expect_result(graph: CallGraph, cell: Cell, success: int) -> ExpectedResult:
    """Return the expected result of *cell*; *success* is the status of a success."""
    attempts: dict[str, range] = {}
    writes: Mapping[str, Outcome] | None = None
    missing: list[str] = []
    standing: set[str] = set()
    seconds = 0.0
    for stage in graph.stages:
        faults = {call.name: cell.faults.get(call.name, NO_FAULT) for call in stage.calls}
        courses = {call.name: predict_course(stage, call, faults[call.name]) for call in stage.calls}
        called = [*_called(stage, courses)]
        parts = _parts(stage, called, faults, courses)
        seconds += _seconds(stage, called, courses)
        attempts |= _attempts(stage, called, courses)
        if stage.is_commit:
            writes = _writes(stage, called, faults, has_failed=bool(parts))
            attempts |= _undo_attempts(stage, faults, writes)
        if parts:
            is_stuck = "stuck" in (writes or {}).values()
            outlasts = stage.is_commit and (is_stuck or seconds > DEADLINE)
            seconds = DEADLINE if outlasts else seconds
            failed = ExpectedResult(_status(parts), parts, (), outlasts, seconds, attempts, writes)
            return _stuck(failed, faults) if is_stuck else failed
        missing += [call.name for call in stage.calls if not courses[call.name].is_well]
        standing |= {call.name for call in stage.calls if _stands(call, faults[call.name], courses)}
    return ExpectedResult(
        success,
        missing=tuple(missing),
        seconds=seconds,
        attempts=attempts,
        writes=writes,
        standing=frozenset(standing),
    )


def _stuck(failed: ExpectedResult, faults: Mapping[str, Fault]) -> ExpectedResult:
    """Return the result of a stuck commit, which reports nothing else and leaves its writes in effect."""
    stuck = [name for name, outcome in (failed.writes or {}).items() if outcome == "stuck"]
    standing = frozenset(name for name in stuck if faults[name].kind in _TAKES_EFFECT)
    return replace(failed, status=500, parts=(ExpectedFailure(500, None),), standing=standing)


def _called(stage: Stage, courses: Mapping[str, Course]) -> Iterator[CallSpec]:
    """Yield the calls that are made: all of them, or in order until one fails."""
    for call in stage.calls:
        yield call
        if stage.policy == "in order" and _fails(call, courses):
            return


def _awaited(stage: Stage, called: Sequence[CallSpec], courses: Mapping[str, Course]) -> Iterator[CallSpec]:
    """Yield the calls that the response waits for: fail fast does not wait for those after a failed one."""
    for call in called:
        yield call
        if stage.policy == "fail fast" and _fails(call, courses):
            return


def _fails(call: CallSpec, courses: Mapping[str, Course]) -> bool:
    """Return whether *call* fails its stage."""
    return call.kind != "optional" and not courses[call.name].is_well


def _seconds(stage: Stage, called: Sequence[CallSpec], courses: Mapping[str, Course]) -> float:
    each = [courses[call.name].seconds for call in _awaited(stage, called, courses)]
    return sum(each) if stage.policy == "in order" else max(each)


def _attempts(stage: Stage, called: Sequence[CallSpec], courses: Mapping[str, Course]) -> Mapping[str, range]:
    """Return the attempts of each call; one that is not awaited may be cancelled after its first attempt."""
    awaited = [*_awaited(stage, called, courses)]
    return {
        call.name: (asked if call in awaited else range(1, asked.stop))
        for call in called
        for asked in (courses[call.name].attempts,)
    }


def _undo_attempts(
    stage: Stage, faults: Mapping[str, Fault], writes: Mapping[str, Outcome]
) -> Mapping[str, range]:
    """Return the number of attempts of each undo."""
    return {
        call.undo.name: predict_undo_attempts(faults[call.name])
        for call in stage.calls
        if call.undo is not None and writes[call.name] in {"undone", "stuck"}
    }


def _parts(
    stage: Stage, called: Sequence[CallSpec], faults: Mapping[str, Fault], courses: Mapping[str, Course]
) -> tuple[ExpectedFailure, ...]:
    """Return the failures of a stage."""
    parts = [_part(call, faults[call.name]) for call in called if _fails(call, courses)]
    return tuple(parts[:1] if stage.policy == "fail fast" else _with_one_invalid(parts))


def _stands(call: CallSpec, fault: Fault, courses: Mapping[str, Course]) -> bool:
    """Return whether *call* is a write that is in effect after a success."""
    return call.is_write and (courses[call.name].is_well or fault.kind in {*_TAKES_EFFECT, "late"})


def _part(call: CallSpec, fault: Fault) -> ExpectedFailure:
    """Return the failure that a failed call reports."""
    if fault.then is not None:
        return ExpectedFailure(fault.then, call.name, detail=fault.title)
    match fault.kind:
        case "status" if fault.is_declared:
            return ExpectedFailure(fault.status, call.name, detail=fault.title)
        case "status" if fault.status == 503:
            return ExpectedFailure(503, call.name, fault.retry_after)
        case "refused" | "dropped" | "halved" | "lost":
            return ExpectedFailure(503, call.name)
        case "hang" | "late":
            return ExpectedFailure(504, call.name)
        case _:
            return ExpectedFailure(502, call.name)


def _with_one_invalid(parts: Sequence[ExpectedFailure]) -> Sequence[ExpectedFailure]:
    """Merge all invalid parts into the first one."""
    invalid = [part for part in parts if part.code == "invalid"]
    if not invalid:
        return parts
    one = replace(invalid[0], detail="; ".join(part.detail or "" for part in invalid))
    return [one if part is invalid[0] else part for part in parts if part not in invalid[1:]]


def _status(parts: Sequence[ExpectedFailure]) -> int:
    worst = max(part.status for part in parts)
    return worst if len(parts) == 1 or worst >= 500 else 207


def _writes(
    stage: Stage, called: Sequence[CallSpec], faults: Mapping[str, Fault], *, has_failed: bool
) -> Mapping[str, Outcome]:
    return {
        call.name: _outcome(faults[call.name], has_failed=has_failed) if call in called else "refused"
        for call in stage.calls
        if call.kind == "write"
    }


def _outcome(fault: Fault, *, has_failed: bool) -> Outcome:
    """Return the outcome of a write of a commit that has failed or succeeded."""
    if fault.is_declared or (fault.kind == "refused" and not fault.is_once):
        return "refused"
    if not has_failed:
        return "done"
    return "stuck" if fault.undo == "always" else "undone"
