"""How often each caller may ask."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.admission.rate_limit import RateLimit, RateLimitDecision

MICROSECONDS: Final = 1_000_000
QUOTAS: Final = st.integers(1, 200)
WINDOWS: Final = st.integers(1, 120)
INSTANTS: Final = st.lists(st.integers(0, 10 * MICROSECONDS), min_size=1, max_size=60).map(
    lambda pauses: [*accumulate(pauses)]
)
"""When somebody asks, in microseconds."""


def admitted(limit: RateLimit, times: int, *, caller: str = "a", now: float = 0.0) -> int:
    """Ask so many times at once; give how often one was admitted."""
    return sum(limit.admit(caller, now).is_admitted for _ in range(times))


def test_all_of_the_quota_can_be_used_at_once_and_no_more() -> None:
    assert admitted(RateLimit(60), 100) == 60


def test_it_comes_back_evenly() -> None:
    limit = RateLimit(60)
    admitted(limit, 60)

    assert [admitted(limit, 10, now=second) for second in (0.999, 1, 1.5, 2, 5)] == [0, 1, 0, 1, 3]


def test_no_more_is_saved_up_than_the_quota() -> None:
    limit = RateLimit(60)
    admitted(limit, 60)

    assert admitted(limit, 100, now=3600) == 60


def test_each_caller_has_a_quota_of_its_own() -> None:
    limit = RateLimit(2)

    assert (admitted(limit, 3, caller="a"), admitted(limit, 3, caller="b")) == (2, 2)


def test_it_says_what_is_left_and_when_there_will_be_more() -> None:
    limit = RateLimit(2, window=60)

    assert [limit.admit("a", now) for now in (100.0, 110.0, 120.0, 130.0)] == [
        RateLimitDecision(is_admitted=True, remaining=1, wait=30.0),
        RateLimitDecision(is_admitted=True, remaining=0, wait=20.0),
        RateLimitDecision(is_admitted=False, remaining=0, wait=10.0),
        RateLimitDecision(is_admitted=True, remaining=0, wait=30.0),
    ]


def test_who_is_not_admitted_pays_nothing() -> None:
    limit = RateLimit(1, window=60)
    admitted(limit, 1000)

    assert limit.admit("a", 60.0).is_admitted


@pytest.mark.parametrize("quota", [1, 7, 60, 1_000_000_007])
def test_a_quota_that_does_not_divide_the_window_is_as_exact(quota: int) -> None:
    limit = RateLimit(quota, window=1)

    last = limit.admit("a", 0.0)

    assert last.remaining == quota - 1
    assert last.wait == -(-MICROSECONDS // quota) / MICROSECONDS


@given(QUOTAS, WINDOWS, INSTANTS)
def test_in_any_time_no_more_are_admitted_than_the_quota_and_what_comes_back_meanwhile(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit = RateLimit(quota, window)

    let_in = [at for at in instants for _ in range(3) if limit.admit("a", at / MICROSECONDS).is_admitted]

    for first, start in enumerate(let_in):
        for last, end in enumerate(let_in[first:], 1):
            assert (last - quota) * window * MICROSECONDS <= (end - start) * quota


@given(QUOTAS, WINDOWS, INSTANTS)
def test_who_keeps_to_what_comes_back_is_always_admitted(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit = RateLimit(quota, window)
    paced = -(-window * MICROSECONDS // quota)

    for turn, at in enumerate(instants):
        assert limit.admit("a", (at + turn * paced) / MICROSECONDS).is_admitted


@given(QUOTAS, WINDOWS, INSTANTS)
def test_who_waits_as_told_is_admitted_and_a_microsecond_earlier_is_not(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit, now = RateLimit(quota, window), 0
    for now in instants:
        admitted(limit, quota, now=now / MICROSECONDS)
    refused = limit.admit("a", now / MICROSECONDS)

    at = now + round(refused.wait * MICROSECONDS)

    assert not refused.is_admitted
    assert not limit.admit("a", (at - 1) / MICROSECONDS).is_admitted
    assert limit.admit("a", at / MICROSECONDS).is_admitted


@given(QUOTAS, WINDOWS, INSTANTS)
def test_within_the_wait_as_many_can_ask_as_are_left(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit, now, said = RateLimit(quota, window), 0, None
    for now in instants:
        said = limit.admit("a", now / MICROSECONDS)
    assert said is not None

    just_before = (now + round(said.wait * MICROSECONDS) - 1) / MICROSECONDS

    assert admitted(limit, said.remaining + 1, now=just_before) == said.remaining


def test_a_caller_whose_quota_is_whole_again_is_forgotten() -> None:
    limit = RateLimit(2)
    for caller in "abc":
        limit.admit(caller, 0.0)

    for _ in range(2):
        limit.admit("d", 30.0)

    assert len(limit) == 1


def test_a_caller_is_remembered_until_its_quota_is_whole_again() -> None:
    limit = RateLimit(2)
    limit.admit("a", 0.0)

    limit.admit("b", 29.999_999)

    assert len(limit) == 2


def test_callers_that_are_seen_once_do_not_pile_up() -> None:
    limit = RateLimit(60)

    known = [0]
    for second in range(1000):
        limit.admit(f"{second}", float(second))
        known.append(len(limit))

    assert max(known) == 1


def test_after_a_rush_of_callers_they_become_fewer_with_each_who_asks() -> None:
    limit = RateLimit(60)
    for number in range(1000):
        limit.admit(f"{number}", 0.0)

    for number in range(999):
        limit.admit(f"later {number}", 60.0 + number)

    assert len(limit) == 1


def test_of_too_many_callers_the_longest_unseen_is_forgotten_first() -> None:
    limit = RateLimit(1, max_callers=2)
    for caller in ("a", "b", "a", "c"):
        limit.admit(caller, 0.0)

    assert len(limit) == 2
    assert [limit.admit(caller, 0.0).is_admitted for caller in "acb"] == [False, False, True]


@pytest.mark.parametrize("name", ["quota", "window", "max_callers"])
@pytest.mark.parametrize("value", [0, -1])
def test_values_below_one_are_refused(name: str, value: int) -> None:
    arguments = {"quota": 60, "window": 60, "max_callers": 100, name: value}

    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got {value}"):
        RateLimit(**arguments)


def test_values_of_one_are_allowed() -> None:
    assert admitted(RateLimit(1, window=1, max_callers=1), 2) == 1
