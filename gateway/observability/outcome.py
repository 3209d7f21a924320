"""Outcome of a stage, a call or an attempt in a trace."""

import asyncio
from enum import Enum
from typing import Final, assert_never

from gateway.railway import (
    Aggregate,
    AttemptEnd,
    BadAnswer,
    Err,
    Failure,
    Ok,
    RejectedBy,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
)

__all__ = ("Outcome", "classify")


class Outcome(Enum):
    """Outcome of a stage, a call or an attempt."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """The service has refused the request with a failure that the call declares, such as `NotFound`."""

    FAILED = "failed"
    """A fault: the service was unavailable or unusable, or a bug has ended the call."""

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


def classify(end: AttemptEnd | None) -> Outcome:
    """Return the outcome of what ended with *end*; None if it has not ended.

    That of an aggregate is `FAILED` or `TIMED_OUT` if that of a part is, in this order.
    """
    match end:
        case None:
            return Outcome.RUNNING
        case Ok():
            return Outcome.DONE
        case Err(error):
            return _classify_failure(error)
        case RejectedBy():
            return Outcome.REJECTED
        case asyncio.CancelledError():
            return Outcome.CANCELLED
        case BaseException():
            return Outcome.FAILED
        case _:
            assert_never(end)


def _classify_failure(error: Failure) -> Outcome:
    match error:
        case TimedOut():
            return Outcome.TIMED_OUT
        case BadAnswer() | Unavailable() | Unexpected() | Stuck():
            return Outcome.FAILED
        case Aggregate(errors):
            parts = {_classify_failure(part) for part in errors}
            return next((worst for worst in _WORST if worst in parts), Outcome.REFUSED)
        case _:
            return Outcome.REFUSED


_WORST: Final = (Outcome.FAILED, Outcome.TIMED_OUT)
