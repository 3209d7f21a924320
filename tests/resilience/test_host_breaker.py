"""Circuit breaker of a host: connections that cannot be made, or that are lost by several operations."""

import asyncio
from collections.abc import Iterable
from itertools import repeat
from typing import Final

import pytest

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.host_breaker import HostBreaker
from gateway.resilience.terms import BreakerTerms
from tests.resilience.scripted_upstream import now

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
HEALTHY, UNHEALTHY = HealthSignal.HEALTHY, HealthSignal.UNHEALTHY
UNREACHABLE, DISCONNECTED = HealthSignal.UNREACHABLE, HealthSignal.DISCONNECTED
TERMS: Final = BreakerTerms()


@pytest.fixture
async def breaker() -> HostBreaker:
    return HostBreaker(TERMS, lambda _: None)


def record(
    breaker: HostBreaker, signals: Iterable[HealthSignal], operation: str = "users.fetch"
) -> BreakerState:
    """Make an attempt of *operation* for each of *signals* in turn; return the state after the last."""
    for signal in signals:
        generation = breaker.breaker.admit()
        assert generation is not None
        breaker.record(generation, operation, signal, now())
    return breaker.breaker.state


async def test_refused_connections_open_host_breaker(breaker: HostBreaker) -> None:
    assert record(breaker, repeat(UNREACHABLE, 19)) is CLOSED
    assert record(breaker, [UNREACHABLE]) is OPEN


@pytest.mark.parametrize("signal", [HEALTHY, UNHEALTHY, HealthSignal.NONE, HealthSignal.REQUEST_AT_FAULT])
async def test_answers_keep_host_breaker_closed(breaker: HostBreaker, signal: HealthSignal) -> None:
    assert record(breaker, repeat(signal, 1000)) is CLOSED
    assert not breaker.breaker.has_failed_recently


async def test_refusals_are_weighed_against_answers(breaker: HostBreaker) -> None:
    assert record(breaker, [UNREACHABLE, HEALTHY, UNHEALTHY] * 100) is CLOSED


async def test_half_of_connections_refused_opens_breaker(breaker: HostBreaker) -> None:
    assert record(breaker, [UNREACHABLE, HEALTHY] * 9) is CLOSED
    assert record(breaker, [UNREACHABLE, HEALTHY]) is OPEN


async def test_host_failing_after_long_health_is_noticed(breaker: HostBreaker) -> None:
    record(breaker, repeat(HEALTHY, 1000))

    assert record(breaker, repeat(UNREACHABLE, 20)) is OPEN


async def test_connections_lost_by_one_operation_do_not_count(breaker: HostBreaker) -> None:
    assert record(breaker, repeat(DISCONNECTED, 1000)) is CLOSED


async def test_connections_lost_by_two_operations_open_breaker(breaker: HostBreaker) -> None:
    record(breaker, repeat(DISCONNECTED, 10), "users.fetch")

    assert record(breaker, repeat(DISCONNECTED, 10), "users.settings") is CLOSED
    assert record(breaker, repeat(DISCONNECTED, 10), "users.fetch") is OPEN


async def test_lost_connection_is_forgotten_after_window(breaker: HostBreaker) -> None:
    record(breaker, [DISCONNECTED], "users.fetch")
    await asyncio.sleep(TERMS.window)

    assert record(breaker, repeat(DISCONNECTED, 1000), "users.settings") is CLOSED


async def test_answers_of_probes_close_host_breaker(breaker: HostBreaker) -> None:
    record(breaker, repeat(UNREACHABLE, 20))
    await asyncio.sleep(TERMS.pause)
    before = breaker.breaker.state

    assert before is HALF_OPEN
    assert record(breaker, [HEALTHY, UNHEALTHY, HEALTHY]) is CLOSED


async def test_refused_probe_opens_host_breaker_again(breaker: HostBreaker) -> None:
    record(breaker, repeat(UNREACHABLE, 20))
    await asyncio.sleep(TERMS.pause)

    assert record(breaker, [UNREACHABLE]) is OPEN
    assert breaker.breaker.retry_after == pytest.approx(2 * TERMS.pause)
