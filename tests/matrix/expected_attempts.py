"""How often a service is asked for one call, and how long that takes."""

from dataclasses import dataclass
from typing import Final, final

from tests.matrix.call_graph import Called, Stage
from tests.matrix.faults import Fault

__all__ = ("DEADLINE", "Course", "course_of", "undo_asked")

DEADLINE: Final = 5.0
"""Seconds that a request has."""

_A_CALL: Final = 1.0
_OPTIONAL: Final = 0.5
_COMMIT: Final = 10.0
_ATTEMPTS: Final = 3

_ONCE: Final = range(1, 2)
_TWICE: Final = range(2, 3)
# There are pauses of random length between them: the longer, the fewer.
_FOR_10_S: Final = range(3, 26)
_FOR_30_S: Final = range(25, 66)

_PASSING: Final = frozenset({"hang", "refused", "dropped", "halved", "lost", "late"})
"""The troubles that may be over when the service is asked again."""

_SILENT: Final = frozenset({"hang", "late"})


@final
@dataclass(frozen=True, slots=True)
class Course:
    """A service is *asked* that often, for so many *seconds*, and *is_well* in the end or not.

    Of the seconds only those count that are waited for silence, or because the service asks for it: there are
    also the pauses before retries and repeats, and the latencies, which make up less than one.
    """

    asked: range
    seconds: float
    is_well: bool


def course_of(stage: Stage, call: Called, fault: Fault) -> Course:
    """Say what comes of *call*, beset by *fault*, if it is left alone: a write is repeated, all else retried.

    A retry is made if its pause ends before the time does that the call has in all.
    """
    if call.kind == "write" and fault.trouble != "refused":
        return _repeated(fault)
    has = _OPTIONAL if call.kind == "optional" else _COMMIT if stage.is_commit else DEADLINE
    seconds = 0.0
    for asked in range(1, _ATTEMPTS + 1):
        if _is_over(fault, asked):
            return Course(range(asked, asked + 1), seconds, is_well=True)
        seconds += min(_silence(fault), has - seconds)
        if asked == _ATTEMPTS or not _may_pass(fault) or seconds + _wait(fault) >= has:
            return Course(range(asked, asked + 1), seconds, is_well=False)
        seconds += _wait(fault)
    raise AssertionError


def undo_asked(fault: Fault) -> range:
    """Say how often the undo of a write that *fault* has befallen is made."""
    return {"none": _ONCE, "once": _TWICE, "always": _FOR_30_S}[fault.undo]


def _repeated(fault: Fault) -> Course:
    if _is_over(fault, 1) or not _may_pass(fault):
        return Course(_ONCE, 0.0, is_well=_is_over(fault, 1))
    if fault.is_once or fault.then is not None:
        return Course(_TWICE, _silence(fault) + _wait(fault), is_well=fault.is_once)
    return Course(_FOR_10_S, _COMMIT, is_well=False)


def _is_over(fault: Fault, asked: int) -> bool:
    return fault.trouble == "none" or (fault.is_once and asked > 1)


def _may_pass(fault: Fault) -> bool:
    return fault.trouble in _PASSING or fault.status == 503


def _silence(fault: Fault) -> float:
    return _A_CALL if fault.trouble in _SILENT else 0.0


def _wait(fault: Fault) -> float:
    return fault.retry_after or 0.0
