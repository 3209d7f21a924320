"""Expected attempts of one call, and how long they take."""

from dataclasses import dataclass
from typing import Final, final

from tests.matrix.call_graph import CallSpec, Stage
from tests.matrix.faults import Fault

__all__ = ("DEADLINE", "Course", "predict_course", "predict_undo_attempts")

DEADLINE: Final = 5.0
"""The deadline of a request, in seconds."""

_ATTEMPT_TIMEOUT: Final = 1.0
_OPTIONAL: Final = 0.5
_COMMIT: Final = 10.0
_ATTEMPTS: Final = 3

_ONCE: Final = range(1, 2)
_TWICE: Final = range(2, 3)
# The pauses between them are random, so the number varies.
_FOR_10_S: Final = range(3, 26)
_FOR_30_S: Final = range(25, 66)

_TRANSIENT: Final = frozenset({"hang", "refused", "dropped", "halved", "lost", "late"})
"""Faults that may have passed at the next attempt."""

_SILENT: Final = frozenset({"hang", "late"})


@final
@dataclass(frozen=True, slots=True)
class Course:
    """The number of *attempts*, their total *seconds*, and whether the last one succeeded.

    The seconds only count timeouts and Retry-After. Backoff and latencies add less than one.
    """

    attempts: range
    seconds: float
    is_well: bool


def predict_course(stage: Stage, call: CallSpec, fault: Fault) -> Course:
    """Return the course of *call* with *fault*: a write is repeated, other calls are retried.

    A retry is made if its pause ends before the time limit of the call.
    """
    if call.kind == "write" and fault.kind != "refused":
        return _repeat_write(fault)
    has = _OPTIONAL if call.kind == "optional" else _COMMIT if stage.is_commit else DEADLINE
    seconds = 0.0
    for asked in range(1, _ATTEMPTS + 1):
        if _has_passed(fault, asked):
            return Course(range(asked, asked + 1), seconds, is_well=True)
        seconds += min(_timeout(fault), has - seconds)
        if asked == _ATTEMPTS or not _is_transient(fault) or seconds + _retry_after(fault) >= has:
            return Course(range(asked, asked + 1), seconds, is_well=False)
        seconds += _retry_after(fault)
    raise AssertionError


def predict_undo_attempts(fault: Fault) -> range:
    """Return the number of attempts of the undo of a write with *fault*."""
    return {"none": _ONCE, "once": _TWICE, "always": _FOR_30_S}[fault.undo]


def _repeat_write(fault: Fault) -> Course:
    if _has_passed(fault, 1) or not _is_transient(fault):
        return Course(_ONCE, 0.0, is_well=_has_passed(fault, 1))
    if fault.is_once or fault.then is not None:
        return Course(_TWICE, _timeout(fault) + _retry_after(fault), is_well=fault.is_once)
    return Course(_FOR_10_S, _COMMIT, is_well=False)


def _has_passed(fault: Fault, asked: int) -> bool:
    return fault.kind == "none" or (fault.is_once and asked > 1)


def _is_transient(fault: Fault) -> bool:
    return fault.kind in _TRANSIENT or fault.status == 503


def _timeout(fault: Fault) -> float:
    return _ATTEMPT_TIMEOUT if fault.kind in _SILENT else 0.0


def _retry_after(fault: Fault) -> float:
    return fault.retry_after or 0.0
