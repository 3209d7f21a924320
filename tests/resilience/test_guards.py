"""Guards of an operation: both circuit breakers must admit an attempt."""

import asyncio

import pytest

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.guards import BreakerStates, GuardGroup, Guards
from gateway.resilience.terms import BreakerTerms
from tests.resilience.scripted_upstream import build_terms, now

CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


@pytest.fixture
async def group() -> GuardGroup:
    return GuardGroup(build_terms(breaker=BreakerTerms(minimum=2)), lambda _, __: None)


def record(guards: Guards, signal: HealthSignal) -> None:
    """Make two attempts with *signal*."""
    for _ in range(2):
        admission = guards.admit(now())
        assert admission is not None
        guards.record(admission, signal, now())


async def test_open_host_breaker_rejects_attempts_of_all(group: GuardGroup) -> None:
    record(group.find("users.fetch"), HealthSignal.UNREACHABLE)

    assert group.find("users.settings").admit(now()) is None
    assert group.find("users.settings").retry_after == pytest.approx(0.1)


async def test_rejected_attempt_takes_no_probe_of_host(group: GuardGroup) -> None:
    """The breaker of the operation is open, that of the host half open: three probes of others are left."""
    record(group.find("users.fetch"), HealthSignal.UNREACHABLE)
    await asyncio.sleep(0.05)
    failing = Guards("users.settings", build_terms(), group.find("users.fetch").host, lambda _: None)
    await asyncio.sleep(0.05)
    while failing.breaker.is_closed:
        failing.breaker.record(0, HealthSignal.UNHEALTHY, now())

    assert [failing.admit(now()) for _ in range(5)] == [None] * 5
    assert None not in [group.find("users.fetch").admit(now()) for _ in range(3)]


@pytest.mark.parametrize(
    ("host", "operations", "worst"),
    [
        (CLOSED, [], CLOSED),
        (OPEN, [CLOSED], OPEN),
        (CLOSED, [CLOSED, HALF_OPEN], HALF_OPEN),
        (HALF_OPEN, [OPEN, CLOSED], OPEN),
    ],
)
def test_worst_state_is_that_of_any_breaker(
    host: BreakerState, operations: list[BreakerState], worst: BreakerState
) -> None:
    states = {f"users.{position}": state for position, state in enumerate(operations)}

    assert BreakerStates(host, states).worst is worst


async def test_states_name_operations_called_so_far(group: GuardGroup) -> None:
    record(group.find("users.fetch"), HealthSignal.UNHEALTHY)

    assert group.states == BreakerStates(CLOSED, {"users.fetch": OPEN})
