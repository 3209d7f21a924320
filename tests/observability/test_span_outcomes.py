"""Outcomes of stages, calls and attempts."""

import asyncio

import pytest

from gateway.observability.outcome import Outcome, classify, find_code
from gateway.railway import (
    Aggregate,
    AttemptEnd,
    BadAnswer,
    Conflict,
    Err,
    Failure,
    Forbidden,
    NotFound,
    Ok,
    RejectedBy,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (Ok(1), Outcome.DONE),
        (Err(NotFound("no")), Outcome.REFUSED),
        (Err(Conflict("taken")), Outcome.REFUSED),
        (Err(TimedOut("late")), Outcome.TIMED_OUT),
        (Err(Unavailable("down")), Outcome.FAILED),
        (Err(BadAnswer("garbage")), Outcome.FAILED),
        (Err(Unexpected("a bug")), Outcome.FAILED),
        (Err(Stuck("stuck")), Outcome.FAILED),
        (RejectedBy.BREAKER, Outcome.REJECTED),
        (asyncio.CancelledError(), Outcome.CANCELLED),
        (ZeroDivisionError(), Outcome.FAILED),
    ],
)
def test_outcome_follows_end(end: AttemptEnd, outcome: Outcome) -> None:
    assert classify(end) is outcome


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Ok(1), "ok"),
        (Err(NotFound("no")), "not-found"),
        (RejectedBy.LIMIT, "rejected"),
        (asyncio.CancelledError(), "cancelled"),
        (ZeroDivisionError(), "bug"),
    ],
)
def test_code_follows_end(end: AttemptEnd, code: str) -> None:
    assert find_code(end) == code


@pytest.mark.parametrize(
    ("parts", "outcome"),
    [
        ((NotFound("no"), Forbidden("no")), Outcome.REFUSED),
        ((NotFound("no"), TimedOut("late")), Outcome.TIMED_OUT),
        ((TimedOut("late"), NotFound("no"), Unavailable("down")), Outcome.FAILED),
    ],
)
def test_outcome_of_aggregate_is_that_of_worst_part(parts: tuple[Failure, ...], outcome: Outcome) -> None:
    first, *others = parts
    aggregate = Aggregate((first, *others))  # type: ignore[arg-type]

    assert classify(Err(aggregate)) is outcome
