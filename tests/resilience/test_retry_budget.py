"""Retry budget and its sliding window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.resilience.retry_budget import RetryBudget
from gateway.resilience.sliding_window import SlidingWindowCounter
from gateway.resilience.terms import RetryTerms


def spend(budget: RetryBudget, calls: int, now: float = 0.0) -> int:
    """Record *calls*, request three retries for each, and return the number of allowed retries."""
    for _ in range(calls):
        budget.record_call(now)
    return sum(budget.take_retry(now) for _ in range(3 * calls))


@pytest.mark.parametrize(("calls", "retries"), [(1, 3), (4, 10), (5, 11), (100, 30), (1000, 210)])
def test_retry_budget_is_fifth_of_calls_plus_ten(calls: int, retries: int) -> None:
    assert spend(RetryBudget(RetryTerms()), calls) == retries


def test_budget_recovers_after_ten_seconds() -> None:
    budget = RetryBudget(RetryTerms())
    spent = spend(budget, 100)

    assert not budget.take_retry(9.9)
    assert spend(budget, 100, now=10.0) == spent == 30


def test_expired_calls_add_no_budget() -> None:
    budget = RetryBudget(RetryTerms())
    for _ in range(100):
        budget.record_call(0.0)

    assert sum(budget.take_retry(10.0) for _ in range(100)) == 10


@given(st.lists(st.tuples(st.floats(0, 9.99), st.booleans()), max_size=200))
def test_random_retries_never_exceed_budget(events: list[tuple[float, bool]]) -> None:
    budget = RetryBudget(RetryTerms())
    calls = retries = 0
    for now, is_call in sorted(events):
        if is_call:
            budget.record_call(now)
            calls += 1
        else:
            retries += budget.take_retry(now)

        assert retries <= 10 + 0.2 * calls


@given(st.lists(st.floats(0, 50), max_size=60), st.floats(0, 60))
def test_sliding_window_is_exact_to_a_tenth(instants: list[float], later: float) -> None:
    """The window has ten slots, so events expire up to a tenth of the window too early."""
    window = SlidingWindowCounter(10.0)
    for instant in sorted(instants):
        window.add(instant)
    end = max([later, *instants])

    certain = sum(instant > end - 9.0 for instant in instants)
    possible = sum(instant > end - 10.0 for instant in instants)
    assert certain <= window.total(end) <= possible
