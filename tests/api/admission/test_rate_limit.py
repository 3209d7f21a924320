"""Rate limit per caller (GCRA)."""

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
"""Times of requests, in microseconds."""


def admit_burst(limit: RateLimit, times: int, *, caller: str = "a", now: float = 0.0) -> int:
    """Make *times* requests at once; return the number of admitted requests."""
    return sum(limit.admit(caller, now).is_admitted for _ in range(times))


def test_whole_quota_can_be_used_in_one_burst() -> None:
    assert admit_burst(RateLimit(60), 100) == 60


def test_quota_refills_evenly() -> None:
    limit = RateLimit(60)
    admit_burst(limit, 60)

    assert [admit_burst(limit, 10, now=second) for second in (0.999, 1, 1.5, 2, 5)] == [0, 1, 0, 1, 3]


def test_refill_stops_at_the_quota() -> None:
    limit = RateLimit(60)
    admit_burst(limit, 60)

    assert admit_burst(limit, 100, now=3600) == 60


def test_callers_have_separate_quotas() -> None:
    limit = RateLimit(2)

    assert (admit_burst(limit, 3, caller="a"), admit_burst(limit, 3, caller="b")) == (2, 2)


def test_decision_has_remaining_quota_and_wait() -> None:
    limit = RateLimit(2, window=60)

    assert [limit.admit("a", now) for now in (100.0, 110.0, 120.0, 130.0)] == [
        RateLimitDecision(is_admitted=True, remaining=1, wait=30.0),
        RateLimitDecision(is_admitted=True, remaining=0, wait=20.0),
        RateLimitDecision(is_admitted=False, remaining=0, wait=10.0),
        RateLimitDecision(is_admitted=True, remaining=0, wait=30.0),
    ]


def test_refused_request_costs_no_quota() -> None:
    limit = RateLimit(1, window=60)
    admit_burst(limit, 1000)

    assert limit.admit("a", 60.0).is_admitted


@pytest.mark.parametrize("quota", [1, 7, 60, 1_000_000_007])
def test_wait_is_rounded_up_to_whole_microseconds(quota: int) -> None:
    limit = RateLimit(quota, window=1)

    last = limit.admit("a", 0.0)

    assert last.remaining == quota - 1
    assert last.wait == -(-MICROSECONDS // quota) / MICROSECONDS


@given(QUOTAS, WINDOWS, INSTANTS)
def test_no_period_admits_more_than_quota_and_refill(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit = RateLimit(quota, window)

    admitted = [at for at in instants for _ in range(3) if limit.admit("a", at / MICROSECONDS).is_admitted]

    for first, start in enumerate(admitted):
        for last, end in enumerate(admitted[first:], 1):
            assert (last - quota) * window * MICROSECONDS <= (end - start) * quota


@given(QUOTAS, WINDOWS, INSTANTS)
def test_caller_at_refill_rate_is_always_admitted(quota: int, window: int, instants: Sequence[int]) -> None:
    limit = RateLimit(quota, window)
    interval = -(-window * MICROSECONDS // quota)

    for turn, at in enumerate(instants):
        assert limit.admit("a", (at + turn * interval) / MICROSECONDS).is_admitted


@given(QUOTAS, WINDOWS, INSTANTS)
def test_wait_is_exact_to_the_microsecond(quota: int, window: int, instants: Sequence[int]) -> None:
    limit, now = RateLimit(quota, window), 0
    for now in instants:
        admit_burst(limit, quota, now=now / MICROSECONDS)
    refused = limit.admit("a", now / MICROSECONDS)

    at = now + round(refused.wait * MICROSECONDS)

    assert not refused.is_admitted
    assert not limit.admit("a", (at - 1) / MICROSECONDS).is_admitted
    assert limit.admit("a", at / MICROSECONDS).is_admitted


@given(QUOTAS, WINDOWS, INSTANTS)
def test_remaining_quota_is_exact_until_wait_has_passed(
    quota: int, window: int, instants: Sequence[int]
) -> None:
    limit, now, decision = RateLimit(quota, window), 0, None
    for now in instants:
        decision = limit.admit("a", now / MICROSECONDS)
    assert decision is not None

    just_before = (now + round(decision.wait * MICROSECONDS) - 1) / MICROSECONDS

    assert admit_burst(limit, decision.remaining + 1, now=just_before) == decision.remaining


def test_caller_with_full_quota_is_forgotten() -> None:
    limit = RateLimit(2)
    for caller in "abc":
        limit.admit(caller, 0.0)

    for _ in range(2):
        limit.admit("d", 30.0)

    assert len(limit) == 1


def test_caller_is_remembered_until_quota_is_full() -> None:
    limit = RateLimit(2)
    limit.admit("a", 0.0)

    limit.admit("b", 29.999_999)

    assert len(limit) == 2


def test_one_time_callers_are_forgotten() -> None:
    limit = RateLimit(60)

    remembered = [0]
    for second in range(1000):
        limit.admit(f"{second}", float(second))
        remembered.append(len(limit))

    assert max(remembered) == 1


def test_memory_shrinks_after_a_burst_of_callers() -> None:
    limit = RateLimit(60)
    for number in range(1000):
        limit.admit(f"{number}", 0.0)

    for number in range(999):
        limit.admit(f"later {number}", 60.0 + number)

    assert len(limit) == 1


def test_least_recent_caller_is_forgotten_first() -> None:
    limit = RateLimit(1, max_callers=2)
    for caller in ("a", "b", "a", "c"):
        limit.admit(caller, 0.0)

    assert len(limit) == 2
    assert [limit.admit(caller, 0.0).is_admitted for caller in "acb"] == [False, False, True]


@pytest.mark.parametrize("name", ["quota", "window", "max_callers"])
@pytest.mark.parametrize("value", [0, -1])
def test_rate_limit_terms_below_one_are_refused(name: str, value: int) -> None:
    arguments = {"quota": 60, "window": 60, "max_callers": 100, name: value}

    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got {value}"):
        RateLimit(**arguments)


def test_rate_limit_terms_of_one_are_allowed() -> None:
    assert admit_burst(RateLimit(1, window=1, max_callers=1), 2) == 1
