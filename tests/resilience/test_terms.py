"""Terms of the policies: valid and invalid values, and the effect of retry terms."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import pytest

from gateway.railway import Ok
from gateway.resilience.terms import BreakerTerms, ConcurrencyTerms, RetryTerms
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    Service,
    Step,
    build_client,
    fetch,
)

INFINITY: Final = float("inf")
NAN: Final = float("nan")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: BreakerTerms(volume=0), "volume must be a whole number of at least 1, got 0"),
        (lambda: BreakerTerms(minimum=0), "minimum must be a whole number of at least 1, got 0"),
        (lambda: BreakerTerms(minimum=101), r"minimum must be at most volume \(100\), got 101"),
        (lambda: BreakerTerms(volume=19), r"minimum must be at most volume \(19\), got 20"),
        (lambda: BreakerTerms(failure_rate=0), "failure_rate must be above 0 and at most 1, got 0"),
        (lambda: BreakerTerms(failure_rate=1.01), "failure_rate must be above 0 and at most 1, got 1.01"),
        (lambda: BreakerTerms(failure_rate=50), "failure_rate must be above 0 and at most 1, got 50"),
        (lambda: BreakerTerms(failure_rate=NAN), "failure_rate must be above 0 and at most 1, got nan"),
        (lambda: BreakerTerms(max_pause=0.09), r"pause must be at most max_pause \(0.09\), got 0.1"),
        (lambda: BreakerTerms(pause=5), r"pause must be at most max_pause \(1.0\), got 5"),
        (lambda: BreakerTerms(slow_rate=0), "slow_rate must be above 0 and at most 1, got 0"),
        (lambda: BreakerTerms(slow_rate=80), "slow_rate must be above 0 and at most 1, got 80"),
        (lambda: BreakerTerms(probes=0), "probes must be a whole number of at least 1, got 0"),
        (lambda: RetryTerms(attempts=0), "attempts must be a whole number of at least 1, got 0"),
        (lambda: RetryTerms(max_pause=0.04), r"backoff must be at most max_pause \(0.04\), got 0.05"),
        (lambda: RetryTerms(budget_share=-0.1), "budget_share must be from 0 to 1, got -0.1"),
        (lambda: RetryTerms(budget_share=20), "budget_share must be from 0 to 1, got 20"),
        (lambda: RetryTerms(budget_share=NAN), "budget_share must be from 0 to 1, got nan"),
        (lambda: RetryTerms(budget_floor=-1), "budget_floor must be a whole number of at least 0, got -1"),
        (lambda: ConcurrencyTerms(0), "max_concurrency must be a whole number of at least 1, got 0"),
        (lambda: ConcurrencyTerms(-1), "max_concurrency must be a whole number of at least 1, got -1"),
        (lambda: ConcurrencyTerms(1, queue_timeout=-0.1), "queue_timeout must be at least 0, got -0.1"),
        (lambda: ConcurrencyTerms(1, queue_timeout=INFINITY), "queue_timeout must be at least 0, got inf"),
        (lambda: ConcurrencyTerms(1, queue_timeout=NAN), "queue_timeout must be at least 0, got nan"),
    ],
)
def test_terms_reject_values_out_of_range(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        build()


@pytest.mark.parametrize("seconds", [0, -1, INFINITY, NAN])
def test_times_must_be_positive_and_finite(seconds: float) -> None:
    builds: Mapping[str, Callable[[], object]] = {
        "window": lambda: BreakerTerms(window=seconds),
        "pause": lambda: BreakerTerms(pause=seconds),
        "slow_after": lambda: BreakerTerms(slow_after=seconds),
        "max_pause": lambda: BreakerTerms(max_pause=seconds),
        "backoff": lambda: RetryTerms(backoff=seconds),
        "max_pause of retries": lambda: RetryTerms(max_pause=seconds),
    }
    for name, build in builds.items():
        argument = name.partition(" ")[0]
        with pytest.raises(
            ValueError, match=f"^{argument} must be a positive, finite number of seconds, got"
        ):
            build()


@pytest.mark.parametrize("value", [1.5, 2.0, "3", True, None, NAN])
@pytest.mark.parametrize(
    ("terms", "argument"),
    [
        (BreakerTerms, "volume"),
        (BreakerTerms, "minimum"),
        (BreakerTerms, "probes"),
        (RetryTerms, "attempts"),
        (RetryTerms, "budget_floor"),
        (ConcurrencyTerms, "max_concurrency"),
    ],
)
def test_counts_must_be_whole_numbers(terms: Callable[..., object], argument: str, value: object) -> None:
    message = f"{argument} must be a whole number of at least [01], got {value!r}"
    with pytest.raises(ValueError, match=f"^{message}$"):
        terms(**{argument: value})


@pytest.mark.parametrize("value", ["10", True, None])
@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (BreakerTerms, "window"),
        (BreakerTerms, "failure_rate"),
        (BreakerTerms, "pause"),
        (BreakerTerms, "max_pause"),
        (RetryTerms, "backoff"),
        (RetryTerms, "max_pause"),
        (RetryTerms, "budget_share"),
        (partial(ConcurrencyTerms, 1), "queue_timeout"),
    ],
)
def test_times_and_fractions_must_be_numbers(
    build: Callable[..., object], argument: str, value: object
) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must be .*, got {value!r}$"):
        build(**{argument: value})


def test_breaker_terms_accept_extreme_values() -> None:
    shortest = BreakerTerms(
        volume=1, window=1e-9, minimum=1, failure_rate=1e-9, pause=1e-9, max_pause=1e-9, probes=1
    )

    assert shortest.minimum == shortest.volume
    assert BreakerTerms(failure_rate=1, pause=1.0, max_pause=1.0).failure_rate == 1


def test_retry_terms_accept_extreme_values() -> None:
    assert RetryTerms(attempts=1, budget_share=0, budget_floor=0).budget_floor == 0
    assert RetryTerms(backoff=10.0, max_pause=10.0, budget_share=1).budget_share == 1


def test_concurrency_terms_accept_extreme_values() -> None:
    assert ConcurrencyTerms(1, queue_timeout=0).max_concurrency == 1


def test_backoff_doubles_up_to_max_pause() -> None:
    assert RetryTerms().backoffs == (0.05, 0.1)
    assert RetryTerms(attempts=6, backoff=1.0, max_pause=5.0).backoffs == (1.0, 2.0, 4.0, 5.0, 5.0)
    assert RetryTerms(attempts=1).backoffs == ()


async def test_attempts_per_call_are_settable() -> None:
    service = Service(*[Step(503)] * 4, Step())

    assert await fetch(build_client(service, retries=RetryTerms(attempts=5))) == Ok(LAMP)
    assert len(service.requests) == 5


async def test_one_attempt_means_no_retries() -> None:
    service = Service(Step(503), Step())
    await fetch(build_client(service, retries=RetryTerms(attempts=1)))

    assert len(service.requests) == 1


async def test_retry_budget_is_settable() -> None:
    retries = RetryTerms(budget_share=0, budget_floor=1)
    things = build_client(Service(Step(503)), retries=retries)
    await fetch(things)
    counts = things.policies.counts

    assert (counts.retries, counts.retries_denied) == (1, 1)
