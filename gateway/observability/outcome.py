"""Outcomes of stages, calls and attempts in a trace."""

import asyncio
from enum import Enum
from typing import Final

from gateway.railway import (
    Aggregate,
    AttemptEnd,
    BadAnswer,
    Err,
    Failure,
    Ok,
    RejectedBy,
    RunExit,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
)

__all__ = ("Outcome", "classify", "find_code")


class Outcome(Enum):
    """Outcome of a stage, a call or an attempt."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """The service has refused the request with a failure that the call declares, such as `NotFound`."""

    FAILED = "failed"
    """The service was unavailable or unusable, or a bug has ended the call."""

    TIMED_OUT = "timed out"
    REJECTED = "rejected"
    """Nothing was sent: a policy has rejected the attempt (`RejectedBy`)."""

    CANCELLED = "cancelled"
    NEVER_RUN = "never run"
    """A call of a stage, or a step of a commit, that did not start."""

    UNDONE = "undone"
    """A write, or a commit, whose effect has been undone."""

    STUCK = "stuck"
    """A write, or a commit, that could not be undone."""


_FAULTS_BY_PRECEDENCE: Final = (Outcome.FAILED, Outcome.TIMED_OUT)


def classify(end: AttemptEnd) -> Outcome:
    """Return the outcome of a stage, a call or an attempt with this *end*.

    An aggregate is `FAILED` if any part is, else `TIMED_OUT` if any part is, else `REFUSED`.
    """
    match end:
        case Ok():
            return Outcome.DONE
        case Err(error) | RunExit(error=error):
            return _classify_failure(error)
        case RejectedBy():
            return Outcome.REJECTED
        case asyncio.CancelledError():
            return Outcome.CANCELLED
        case _:
            return Outcome.FAILED


def find_code(end: AttemptEnd) -> str:
    """Return `ok`, the code of a failure, `rejected`, `cancelled`, or `bug` for any other exception."""
    match end:
        case Ok():
            return "ok"
        case Err(error) | RunExit(error=error):
            return error.code
        case RejectedBy():
            return "rejected"
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "bug"


def _classify_failure(error: Failure) -> Outcome:
    match error:
        case TimedOut():
            return Outcome.TIMED_OUT
        case BadAnswer() | Unavailable() | Unexpected() | Stuck():
            return Outcome.FAILED
        case Aggregate(errors):
            parts = {_classify_failure(part) for part in errors}
            return next((fault for fault in _FAULTS_BY_PRECEDENCE if fault in parts), Outcome.REFUSED)
        case _:
            return Outcome.REFUSED
