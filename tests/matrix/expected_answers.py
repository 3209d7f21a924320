"""Expected result of each cell: an independent second implementation of the rules.

A call ends with its fault, unless a retry succeeds (`expected_attempts`). The policy of a stage turns the
results of its calls into the result of the stage. A failed commit also undoes the writes that may have taken
effect. Nothing here depends on a pipeline or on the code of the gateway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, final

from tests.matrix.call_graph import CallGraph, CallSpec, Stage
from tests.matrix.cells import Cell
from tests.matrix.expected_attempts import (
    DEADLINE,
    TAKES_EFFECT,
    CallPrediction,
    UndoPrediction,
    predict_call,
    predict_undo,
)
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
_STATUSES: Final = {code: status for status, code in _CODES.items()}


@final
@dataclass(frozen=True, slots=True)
class ExpectedFailure:
    """A failure in the response; *retry_after* is in seconds, *detail* is set for declared statuses.

    *own_code* replaces the code of the status if the service declares an error with a code of its own. *item*
    is the position of the call in its list, if any.
    """

    status: int
    source: str | None
    retry_after: int | None = None
    detail: str | None = None
    own_code: str | None = None
    item: int | None = None

    @property
    def code(self) -> str:
        return self.own_code or _CODES[self.status]


@final
@dataclass(frozen=True, slots=True)
class ExpectedResult:
    """The expected response and final state.

    *parts* are the failures, *missing* the failed optional calls of a success. The first response takes
    *seconds*, or up to *backoff* more. If the commit *outlasts* the deadline, the first response is a 202.
    *attempts* holds the allowed numbers of attempts of each call and undo that is made. *writes* are the
    outcomes of the commit's writes (None if the commit does not begin), *in_effect* the writes in effect at
    the end.
    """

    status: int
    parts: tuple[ExpectedFailure, ...] = ()
    missing: tuple[str, ...] = ()
    outlasts: bool = False
    seconds: float = 0.0
    backoff: float = 1.0
    attempts: Mapping[str, range] = field(default_factory=dict[str, range])
    writes: Mapping[str, Outcome] | None = None
    in_effect: frozenset[str] = frozenset()

    @property
    def code(self) -> str | None:
        if not self.parts:
            return None
        return self.parts[0].code if len(self.parts) == 1 else "aggregate"

    @property
    def retry_after(self) -> int | None:
        """The longest Retry-After of the parts; None unless the status is 429 or 503."""
        waits = [part.retry_after for part in self.parts if part.retry_after is not None]
        return max(waits) if waits and self.status in {429, 503} else None


def expect_result(graph: CallGraph, cell: Cell, success: int) -> ExpectedResult:
    """Return the expected result of *cell*; *success* is the status of a success."""
    attempts: dict[str, range] = {}
    writes: Mapping[str, Outcome] | None = None
    missing: list[str] = []
    in_effect: set[str] = set()
    seconds = 0.0
    for stage in graph.stages:
        begun = seconds
        faults = {call.name: cell.faults.get(call.name, NO_FAULT) for call in stage.calls}
        predictions = {call.name: predict_call(stage, call, faults[call.name]) for call in stage.calls}
        called = [*_list_made_calls(stage, predictions)]
        parts = _list_failures(stage, called, faults, predictions)
        seconds += _predict_seconds(stage, called, predictions)
        attempts |= _predict_attempts(stage, called, predictions)
        if stage.is_commit:
            writes = _predict_writes(stage, called, faults, has_failed=bool(parts))
        if parts:
            failed = ExpectedResult(
                _choose_status(parts), parts, seconds=seconds, attempts=attempts, writes=writes
            )
            undos = _predict_undos(stage, faults, predictions, writes or {})
            return _add_undos(failed, undos, faults, begun) if stage.is_commit else failed
        missing += [call.name for call in stage.calls if not predictions[call.name].has_succeeded]
        in_effect |= {
            call.name for call in stage.calls if _is_in_effect(call, faults[call.name], predictions)
        }
    return ExpectedResult(
        success,
        missing=tuple(missing),
        seconds=seconds,
        attempts=attempts,
        writes=writes,
        in_effect=frozenset(in_effect),
    )


def _add_undos(
    failed: ExpectedResult, undos: Sequence[UndoPrediction], faults: Mapping[str, Fault], begun: float
) -> ExpectedResult:
    """Return the result of a *failed* commit, which has begun after *begun* seconds, with its *undos*."""
    attempts = {**failed.attempts, **{name: count for undo in undos for name, count in undo.attempts.items()}}
    is_stuck = "stuck" in (failed.writes or {}).values()
    if is_stuck or failed.seconds > DEADLINE:
        late = replace(failed, attempts=attempts, outlasts=True, seconds=DEADLINE)
        return _build_stuck_result(late, faults) if is_stuck else late
    undone = begun + max((undo.seconds for undo in undos), default=0.0)
    # The pause between look-ups grows to a second.
    backoff = 2.0 if undone > failed.seconds else 1.0
    return replace(failed, attempts=attempts, seconds=max(failed.seconds, undone), backoff=backoff)


def _build_stuck_result(failed: ExpectedResult, faults: Mapping[str, Fault]) -> ExpectedResult:
    """Return the result of a stuck commit: a single failure, and stuck writes that may still be in effect."""
    stuck = [name for name, outcome in (failed.writes or {}).items() if outcome == "stuck"]
    in_effect = frozenset(name for name in stuck if faults[name].kind in TAKES_EFFECT)
    return replace(failed, status=500, parts=(ExpectedFailure(500, None),), in_effect=in_effect)


def _list_made_calls(stage: Stage, predictions: Mapping[str, CallPrediction]) -> Iterator[CallSpec]:
    """Yield the calls that are made: all, or with policy `in order` the calls up to the first failure."""
    for call in stage.calls:
        yield call
        if stage.policy == "in order" and _is_failure(call, predictions):
            return


def _list_awaited_calls(
    stage: Stage, called: Sequence[CallSpec], predictions: Mapping[str, CallPrediction]
) -> Iterator[CallSpec]:
    """Yield the calls that the response waits for; fail fast does not wait for calls after a failed call."""
    for call in called:
        yield call
        if stage.policy == "fail fast" and _is_failure(call, predictions):
            return


def _is_failure(call: CallSpec, predictions: Mapping[str, CallPrediction]) -> bool:
    """Return True if *call* has failed and makes its stage fail."""
    return call.kind != "optional" and not predictions[call.name].has_succeeded


def _predict_seconds(
    stage: Stage, called: Sequence[CallSpec], predictions: Mapping[str, CallPrediction]
) -> float:
    each = [predictions[call.name].seconds for call in _list_awaited_calls(stage, called, predictions)]
    return sum(each) if stage.policy == "in order" else max(each)


def _predict_attempts(
    stage: Stage, called: Sequence[CallSpec], predictions: Mapping[str, CallPrediction]
) -> Mapping[str, range]:
    """Return the attempts of each call; calls that are not awaited may be cancelled after an attempt."""
    awaited = [*_list_awaited_calls(stage, called, predictions)]
    return {
        call.name: (expected if call in awaited else range(1, expected.stop))
        for call in called
        for expected in (predictions[call.name].attempts,)
    }


def _predict_undos(
    stage: Stage,
    faults: Mapping[str, Fault],
    predictions: Mapping[str, CallPrediction],
    writes: Mapping[str, Outcome],
) -> Sequence[UndoPrediction]:
    """Return the predictions for the undos that are made."""
    return [
        predict_undo(call.undo, faults[call.name], predictions[call.name])
        for call in stage.calls
        if call.undo is not None and writes.get(call.name) in {"undone", "stuck"}
    ]


def _list_failures(
    stage: Stage,
    called: Sequence[CallSpec],
    faults: Mapping[str, Fault],
    predictions: Mapping[str, CallPrediction],
) -> tuple[ExpectedFailure, ...]:
    """Return the failures of a stage."""
    parts = [
        replace(_build_failure(call, faults[call.name]), item=call.place if stage.is_list else None)
        for call in called
        if _is_failure(call, predictions)
    ]
    return tuple(parts[:1] if stage.policy == "fail fast" else _merge_invalid(parts))


def _is_in_effect(call: CallSpec, fault: Fault, predictions: Mapping[str, CallPrediction]) -> bool:
    """Return True if *call* is a write that is in effect after a success."""
    return call.is_write and (predictions[call.name].has_succeeded or fault.kind in {*TAKES_EFFECT, "late"})


def _build_failure(call: CallSpec, fault: Fault) -> ExpectedFailure:
    """Return the failure that a failed call reports."""
    if fault.then is not None:
        return _build_declared(call, fault.then, fault.title)
    if fault.is_declared:
        return _build_declared(call, fault.status, fault.title)
    match fault.kind:
        case "status" if fault.status == 503:
            return ExpectedFailure(503, call.source, fault.retry_after)
        case "refused" | "dropped" | "truncated" | "lost":
            return ExpectedFailure(503, call.source)
        case "hang" | "late":
            return ExpectedFailure(504, call.source)
        case _:
            return ExpectedFailure(502, call.source)


def _build_declared(call: CallSpec, status: int, title: str) -> ExpectedFailure:
    """Return the failure of *call* after a refusal with *status* and *title*."""
    error = call.find_declared(status)
    detail = title if error.detail is None else error.detail
    return ExpectedFailure(_STATUSES[error.family], call.source, detail=detail, own_code=error.own_code)


def _merge_invalid(parts: Sequence[ExpectedFailure]) -> Sequence[ExpectedFailure]:
    """Merge all invalid parts into the first."""
    invalid = [part for part in parts if part.code == "invalid"]
    if not invalid:
        return parts
    merged = replace(invalid[0], detail="; ".join(part.detail or "" for part in invalid))
    return [merged if part is invalid[0] else part for part in parts if part not in invalid[1:]]


def _choose_status(parts: Sequence[ExpectedFailure]) -> int:
    worst = max(part.status for part in parts)
    return worst if len(parts) == 1 or worst >= 500 else 207


def _predict_writes(
    stage: Stage, called: Sequence[CallSpec], faults: Mapping[str, Fault], *, has_failed: bool
) -> Mapping[str, Outcome]:
    return {
        call.name: _predict_outcome(faults[call.name], has_failed=has_failed) if call in called else "refused"
        for call in stage.calls
        if call.kind == "write"
    }


def _predict_outcome(fault: Fault, *, has_failed: bool) -> Outcome:
    """Return the outcome of a write with *fault*; *has_failed* is True if the whole commit has failed."""
    if fault.is_declared or (fault.kind == "refused" and not fault.is_once):
        return "refused"
    if not has_failed:
        return "done"
    return "stuck" if "always" in {fault.undo, fault.lookup} else "undone"
