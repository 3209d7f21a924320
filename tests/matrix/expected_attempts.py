"""Expected attempts of a call, and their duration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from tests.matrix.call_graph import CallSpec, Stage, UndoSpec
from tests.matrix.faults import Fault

__all__ = ("DEADLINE", "CallPrediction", "is_absent", "predict_call", "predict_lag", "predict_undo_attempts")

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
_UNTIL_SETTLED: Final = range(2, 12)

_TRANSIENT: Final = frozenset({"hang", "refused", "dropped", "truncated", "lost", "late"})
"""Faults that may not recur at the next attempt."""

_TAKES_EFFECT: Final = frozenset({"truncated", "lost", "late"})
"""Faults in spite of which a write takes effect."""

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


def predict_undo_attempts(undo: UndoSpec, fault: Fault) -> Mapping[str, range]:
    """Return the number of attempts of the undo of a write with *fault*, and of its look-up if it is needed.

    The look-up is needed if the write has no answer. A write that never took effect is looked up until it
    counts as undone, and its undo is not sent.
    """
    attempts = {"none": _ONCE, "once": _TWICE, "always": _FOR_30_S}[fault.undo]
    if undo.find is None or _is_answered(fault):
        return {undo.name: attempts}
    if is_absent(undo, fault):
        return {undo.find_name: _UNTIL_SETTLED}
    if predict_lag(undo, fault):
        return {undo.find_name: _UNTIL_SETTLED, undo.name: attempts}
    return {undo.find_name: attempts, undo.name: attempts}


def is_absent(undo: UndoSpec, fault: Fault) -> bool:
    """Return True if the look-up of *undo* finds nothing, because a write with *fault* never took effect."""
    return undo.find is not None and not _is_answered(fault) and fault.kind not in _TAKES_EFFECT


def predict_lag(undo: UndoSpec, fault: Fault) -> float:
    """Return the seconds for which the look-up of *undo* does not find a write with *fault*.

    A write that is repeated for longer has been found by then.
    """
    return 0.0 if undo.find is None or fault.then is None else undo.lag


def _is_answered(fault: Fault) -> bool:
    """Return True if the last attempt of a write with *fault* is answered."""
    return fault.kind == "none" or (fault.is_once and fault.then is None)


def _repeat_write(fault: Fault) -> CallPrediction:
    if _has_passed(fault, 1) or not _is_transient(fault):
        return CallPrediction(_ONCE, 0.0, has_succeeded=_has_passed(fault, 1))
    if fault.is_once or fault.then is not None:
        return CallPrediction(_TWICE, _timeout(fault) + _retry_after(fault), has_succeeded=fault.is_once)
    return CallPrediction(_FOR_10_S, _COMMIT, has_succeeded=False)


def _has_passed(fault: Fault, attempt: int) -> bool:
    return fault.kind == "none" or (fault.is_once and attempt > 1)


def _is_transient(fault: Fault) -> bool:
    return fault.kind in _TRANSIENT or fault.status == 503


def _timeout(fault: Fault) -> float:
    return _ATTEMPT_TIMEOUT if fault.kind in _SILENT else 0.0


def _retry_after(fault: Fault) -> float:
    return fault.retry_after or 0.0
