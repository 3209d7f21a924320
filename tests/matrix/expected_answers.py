"""What each cell must come to: the rules, written down a second time and in another way.

A call comes to what befalls it, unless that has passed when its service is asked again (`course`); a stage to
what its calls come to, by its policy; a commit besides takes back what may have been written. Nothing here
knows a pipeline, or the gateway's code.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, final

from tests.matrix.call_graph import Called, Shape, Stage
from tests.matrix.cells import Cell
from tests.matrix.expected_attempts import DEADLINE, Course, course_of, undo_asked
from tests.matrix.faults import FINE, Fault

__all__ = ("Expected", "Outcome", "Part", "expected")

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
_MADE: Final = frozenset({"none", "halved", "lost"})
"""What befalls a write that is made all the same."""


@final
@dataclass(frozen=True, slots=True)
class Part:
    """One failure as a caller sees it; *retry_after* in seconds, *detail* where the service says it."""

    status: int
    source: str | None
    retry_after: int | None = None
    detail: str | None = None

    @property
    def code(self) -> str:
        return _CODES[self.status]


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """An answer, and what stands after it.

    *parts* is empty for a success, of which *lacking* are the optional calls that it does without. The first
    answer takes *seconds*, or not quite one more; if the commit *outlasts* the deadline, that one is 202.
    *asked* says how often each call and undo is asked for, of those that are at all; *writes* what becomes of
    those of the commit (None if it does not begin), and *standing* the writes that are there in the end.
    """

    status: int
    parts: tuple[Part, ...] = ()
    lacking: tuple[str, ...] = ()
    outlasts: bool = False
    seconds: float = 0.0
    asked: Mapping[str, range] = field(default_factory=dict[str, range])
    writes: Mapping[str, Outcome] | None = None
    standing: frozenset[str] = frozenset()

    @property
    def code(self) -> str | None:
        if not self.parts:
            return None
        return self.parts[0].code if len(self.parts) == 1 else "aggregate"

    @property
    def retry_after(self) -> int | None:
        """Give the longest of the parts, where it is sent."""
        waits = [part.retry_after for part in self.parts if part.retry_after is not None]
        return max(waits) if waits and self.status in {429, 503} else None


def expected(shape: Shape, cell: Cell, success: int) -> Expected:
    """Say what *cell* must come to; *success* is the status of a success."""
    asked: dict[str, range] = {}
    writes: Mapping[str, Outcome] | None = None
    lacking: list[str] = []
    standing: set[str] = set()
    seconds = 0.0
    for stage in shape.stages:
        faults = {call.name: cell.faults.get(call.name, FINE) for call in stage.calls}
        courses = {call.name: course_of(stage, call, faults[call.name]) for call in stage.calls}
        made = [*_made(stage, courses)]
        parts = _parts(stage, made, faults, courses)
        seconds += _seconds(stage, made, courses)
        asked |= _asked(stage, made, courses)
        if stage.is_commit:
            writes = _writes(stage, made, faults, has_failed=bool(parts))
            asked |= _undone(stage, faults, writes)
        if parts:
            is_stuck = "stuck" in (writes or {}).values()
            outlasts = stage.is_commit and (is_stuck or seconds > DEADLINE)
            seconds = DEADLINE if outlasts else seconds
            failed = Expected(_status(parts), parts, (), outlasts, seconds, asked, writes)
            return _stuck(failed, faults) if is_stuck else failed
        lacking += [call.name for call in stage.calls if not courses[call.name].is_well]
        standing |= {call.name for call in stage.calls if _stands(call, faults[call.name], courses)}
    return Expected(
        success,
        lacking=tuple(lacking),
        seconds=seconds,
        asked=asked,
        writes=writes,
        standing=frozenset(standing),
    )


def _stuck(failed: Expected, faults: Mapping[str, Fault]) -> Expected:
    """Say that a commit that has *failed* is stuck: that is all that is told, and what was made stands."""
    stuck = [name for name, outcome in (failed.writes or {}).items() if outcome == "stuck"]
    standing = frozenset(name for name in stuck if faults[name].trouble in _MADE)
    return replace(failed, status=500, parts=(Part(500, None),), standing=standing)


def _made(stage: Stage, courses: Mapping[str, Course]) -> Iterator[Called]:
    """Give the calls that are made: all of them at once, or in order until one fails."""
    for call in stage.calls:
        yield call
        if stage.policy == "in order" and _fails(call, courses):
            return


def _awaited(stage: Stage, made: Sequence[Called], courses: Mapping[str, Course]) -> Iterator[Called]:
    """Give the calls that the answer must wait for: to fail fast is not to wait for those after the first."""
    for call in made:
        yield call
        if stage.policy == "fail fast" and _fails(call, courses):
            return


def _fails(call: Called, courses: Mapping[str, Course]) -> bool:
    """Say whether *call* fails its stage."""
    return call.kind != "optional" and not courses[call.name].is_well


def _seconds(stage: Stage, made: Sequence[Called], courses: Mapping[str, Course]) -> float:
    each = [courses[call.name].seconds for call in _awaited(stage, made, courses)]
    return sum(each) if stage.policy == "in order" else max(each)


def _asked(stage: Stage, made: Sequence[Called], courses: Mapping[str, Course]) -> Mapping[str, range]:
    """Say how often each call is asked for: one that nobody waits for may be cancelled, once it was made."""
    awaited = [*_awaited(stage, made, courses)]
    return {
        call.name: (asked if call in awaited else range(1, asked.stop))
        for call in made
        for asked in (courses[call.name].asked,)
    }


def _undone(stage: Stage, faults: Mapping[str, Fault], writes: Mapping[str, Outcome]) -> Mapping[str, range]:
    """Say how often each undo is asked for."""
    return {
        call.undo.name: undo_asked(faults[call.name])
        for call in stage.calls
        if call.undo is not None and writes[call.name] in {"undone", "stuck"}
    }


def _parts(
    stage: Stage, made: Sequence[Called], faults: Mapping[str, Fault], courses: Mapping[str, Course]
) -> tuple[Part, ...]:
    """Say what a stage fails with; nothing if it does not."""
    parts = [_part(call, faults[call.name]) for call in made if _fails(call, courses)]
    return tuple(parts[:1] if stage.policy == "fail fast" else _with_one_invalid(parts))


def _stands(call: Called, fault: Fault, courses: Mapping[str, Course]) -> bool:
    """Say whether *call* is a write that is there after a success."""
    return call.is_write and (courses[call.name].is_well or fault.trouble in {*_MADE, "late"})


def _part(call: Called, fault: Fault) -> Part:
    """Say how a failed call is told."""
    if fault.then is not None:
        return Part(fault.then, call.name, detail=fault.title)
    match fault.trouble:
        case "status" if fault.is_declared:
            return Part(fault.status, call.name, detail=fault.title)
        case "status" if fault.status == 503:
            return Part(503, call.name, fault.retry_after)
        case "refused" | "dropped" | "halved" | "lost":
            return Part(503, call.name)
        case "hang" | "late":
            return Part(504, call.name)
        case _:
            return Part(502, call.name)


def _with_one_invalid(parts: Sequence[Part]) -> Sequence[Part]:
    """Keep one of all that are invalid, in the place of the first: they are told as one."""
    invalid = [part for part in parts if part.code == "invalid"]
    if not invalid:
        return parts
    one = replace(invalid[0], detail="; ".join(part.detail or "" for part in invalid))
    return [one if part is invalid[0] else part for part in parts if part not in invalid[1:]]


def _status(parts: Sequence[Part]) -> int:
    worst = max(part.status for part in parts)
    return worst if len(parts) == 1 or worst >= 500 else 207


def _writes(
    stage: Stage, made: Sequence[Called], faults: Mapping[str, Fault], *, has_failed: bool
) -> Mapping[str, Outcome]:
    return {
        call.name: _outcome(faults[call.name], has_failed=has_failed) if call in made else "refused"
        for call in stage.calls
        if call.kind == "write"
    }


def _outcome(fault: Fault, *, has_failed: bool) -> Outcome:
    """Say what becomes of a write that is made, by a commit that has failed or has not."""
    if fault.is_declared or (fault.trouble == "refused" and not fault.is_once):
        return "refused"
    if not has_failed:
        return "done"
    return "stuck" if fault.undo == "always" else "undone"
