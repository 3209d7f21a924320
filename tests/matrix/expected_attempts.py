"""Expected attempts of a call, and their duration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from tests.matrix.call_graph import CallSpec, Lookup, Stage, UndoSpec
from tests.matrix.faults import Fault, UndoFault

__all__ = ("DEADLINE", "TAKES_EFFECT", "CallPrediction", "UndoPrediction", "predict_call", "predict_undo")

DEADLINE: Final = 5.0
"""The deadline of a request, in seconds."""

_ATTEMPT_TIMEOUT: Final = 1.0
_OPTIONAL: Final = 0.5
_COMMIT: Final = 10.0
_ATTEMPTS: Final = 3

_ONCE: Final = range(1, 2)
_TWICE: Final = range(2, 3)
# The backoff is random, so the number varies.
_FOR_10_S: Final = range(3, 26)
_FOR_30_S: Final = range(25, 66)
_UNTIL_SETTLED: Final = range(1, 12)

_TRANSIENT: Final = frozenset({"hang", "refused", "dropped", "truncated", "lost", "late"})
"""Faults that may not recur at the next attempt."""

TAKES_EFFECT: Final = frozenset({"none", "truncated", "lost"})
"""Kinds of faults that do not prevent a write from taking effect at once."""
_TRANSIENT_STATUSES: Final = frozenset({502, 503})

_SILENT: Final = frozenset({"hang", "late"})


@final
@dataclass(frozen=True, slots=True)
class CallPrediction:
    """The number of *attempts* of a call, their total *seconds*, and the success of the last attempt.

    *seconds* counts timeouts and Retry-After only; backoff and latencies add less than a second.
    """

    attempts: range
    seconds: float
    has_succeeded: bool


@final
@dataclass(frozen=True, slots=True)
class UndoPrediction:
    """The attempts of an undo and of its look-up, by name; the last is made not before *seconds*.

    *seconds* counts from the start of the commit, as no call before the write takes time: a fault that takes
    time and lets its call succeed is not combined with others.
    """

    attempts: Mapping[str, range] = field(default_factory=dict[str, range])
    seconds: float = 0.0


def predict_call(stage: Stage, call: CallSpec, fault: Fault) -> CallPrediction:
    """Return the prediction for *call* with *fault*.

    A write of a commit is repeated until its outcome is known, unless its connection was refused. All other
    calls are retried at most twice, and only if Retry-After ends before their time limit.
    """
    if call.kind == "write" and fault.kind != "refused":
        return _repeat_write(fault)
    limit = _OPTIONAL if call.kind == "optional" else _COMMIT if stage.is_commit else DEADLINE
    seconds = 0.0
    for attempt in range(1, _ATTEMPTS + 1):
        if _has_passed(fault, attempt):
            return CallPrediction(range(attempt, attempt + 1), seconds, has_succeeded=True)
        seconds += min(_timeout(fault), limit - seconds)
        if attempt == _ATTEMPTS or not _is_transient(fault) or seconds + _retry_after(fault) >= limit:
            return CallPrediction(range(attempt, attempt + 1), seconds, has_succeeded=False)
        seconds += _retry_after(fault)
    raise AssertionError


def predict_undo(undo: UndoSpec, fault: Fault, write: CallPrediction) -> UndoPrediction:
    """Return the prediction for the *undo* of a *write* with *fault*.

    If the answer of the write was lost, each attempt begins with the look-up. While that fails or finds
    nothing, no request for the undo is sent, and none at all if the write never took effect.
    """
    if undo.lookup is None or write.has_succeeded:
        return UndoPrediction({undo.name: _count_attempts(fault.undo)})
    if fault.kind not in TAKES_EFFECT and fault.kind != "late":
        return UndoPrediction({undo.lookup.name: _UNTIL_SETTLED}, write.seconds + undo.lookup.settling)
    if fault.lookup == "always":
        return UndoPrediction({undo.lookup.name: _FOR_30_S})
    return UndoPrediction(
        {undo.lookup.name: _count_lookups(fault), undo.name: _count_attempts(fault.undo)},
        _predict_visibility(undo.lookup, fault, write),
    )


def _count_attempts(fault: UndoFault) -> range:
    return {"none": _ONCE, "once": _TWICE, "page": _TWICE, "always": _FOR_30_S}[fault]


def _count_lookups(fault: Fault) -> range:
    """Return the number of look-ups that find a write in the end; `then` and `late` may need several."""
    if fault.then is not None or fault.kind == "late":
        return _UNTIL_SETTLED
    return _TWICE if fault.lookup == "once" else _count_attempts(fault.undo)


def _predict_visibility(lookup: Lookup, fault: Fault, write: CallPrediction) -> float:
    return write.seconds + lookup.settling if fault.kind == "late" else lookup.lag


def _repeat_write(fault: Fault) -> CallPrediction:
    if _has_passed(fault, 1) or not _is_transient(fault):
        return CallPrediction(_ONCE, 0.0, has_succeeded=_has_passed(fault, 1))
    if fault.is_once or fault.then is not None:
        return CallPrediction(_TWICE, _timeout(fault) + _retry_after(fault), has_succeeded=fault.is_once)
    return CallPrediction(_FOR_10_S, _COMMIT, has_succeeded=False)


def _has_passed(fault: Fault, attempt: int) -> bool:
    return fault.kind == "none" or (fault.is_once and attempt > 1)


def _is_transient(fault: Fault) -> bool:
    return fault.kind in _TRANSIENT or fault.status in _TRANSIENT_STATUSES


def _timeout(fault: Fault) -> float:
    return _ATTEMPT_TIMEOUT if fault.kind in _SILENT else 0.0


def _retry_after(fault: Fault) -> float:
    return fault.retry_after or 0.0
