"""Of N calls that all fail, how many may be made again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.resilience.retry_budget import RetryBudget
from gateway.resilience.sliding_window import Window


def taken(budget: RetryBudget, calls: int, now: float = 0.0) -> int:
    """Make calls, and count how many of three times as many retries are allowed."""
    for _ in range(calls):
        budget.note_call(now)
    return sum(budget.take(now) for _ in range(3 * calls))


@pytest.mark.parametrize(("calls", "again"), [(1, 3), (4, 10), (5, 11), (100, 30), (1000, 210)])
def test_a_fifth_of_the_calls_may_be_made_again_and_ten_more(calls: int, again: int) -> None:
    assert taken(RetryBudget(), calls) == again


def test_the_budget_is_as_it_was_ten_seconds_later() -> None:
    budget = RetryBudget()
    spent = taken(budget, 100)

    assert not budget.take(9.9)
    assert taken(budget, 100, now=10.0) == spent == 30


def test_calls_are_forgotten_as_retries_are() -> None:
    budget = RetryBudget()
    for _ in range(100):
        budget.note_call(0.0)

    assert sum(budget.take(10.0) for _ in range(100)) == 10


@given(st.lists(st.tuples(st.floats(0, 9.99), st.booleans()), max_size=200))
def test_within_ten_seconds_the_retries_stay_below_a_fifth_and_ten(asked: list[tuple[float, bool]]) -> None:
    budget = RetryBudget()
    calls = retries = 0
    for now, is_call in sorted(asked):
        if is_call:
            budget.note_call(now)
            calls += 1
        else:
            retries += budget.take(now)

        assert retries <= 10 + 0.2 * calls


@given(st.lists(st.floats(0, 50), max_size=60), st.floats(0, 60))
def test_a_window_counts_what_was_within_it_to_a_tenth(instants: list[float], later: float) -> None:
    window = Window(10.0)
    for instant in sorted(instants):
        window.add(instant)
    end = max([later, *instants])

    certain = sum(instant > end - 9.0 for instant in instants)
    possible = sum(instant > end - 10.0 for instant in instants)
    assert certain <= window.total(end) <= possible
