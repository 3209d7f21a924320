"""Two known faults of other circuit breakers, shown with `purgatory`; the gateway's breaker has neither.

`purgatory` is a released library for asyncio that has both faults. Other libraries share them: `pybreaker`
counts a cancellation as a failure, `circuitbreaker` as a success; when half open, `circuitbreaker`
and `asyncbreaker` admit every call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import httpx
import pytest
from purgatory import AsyncCircuitBreakerFactory

from gateway.railway import Ok
from gateway.resilience.circuit_breaker import BreakerState
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import REFUSES, Service, Step, build_client, fetch

MakeCall: TypeAlias = Callable[[], Awaitable[object]]

CROWD: Final = 100
FAILURES: Final = 20
"""Number of failures after which either circuit breaker opens."""
PROBES: Final = 3
SLOW: Final = Step(after=1.0)


class PurgatoryClient:
    """Client that calls a service through a circuit breaker of `purgatory`.

    The breaker uses the wall clock, which does not jump, so its pause is zero.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=FAILURES, default_ttl=0.0)

    async def call(self) -> httpx.Response:
        async with await self._breakers.get_breaker("things"):
            return await self._service.handle_async_request(httpx.Request("GET", "http://things.test"))

    async def state(self) -> str:
        return (await self._breakers.get_breaker("things")).context.state


async def cancel_calls(call: MakeCall) -> None:
    """Make a hundred calls at once, and cancel them before they can be answered."""
    callers = [asyncio.ensure_future(call()) for _ in range(CROWD)]
    await asyncio.sleep(0.01)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)


async def make_calls(call: MakeCall) -> None:
    """Make a hundred calls at once, and ignore their outcomes."""
    await asyncio.gather(*(call() for _ in range(CROWD)), return_exceptions=True)


async def test_cancelled_calls_open_purgatory_breaker() -> None:
    other = PurgatoryClient(Service(Step(after=0.05)))
    await cancel_calls(other.call)

    assert await other.state() == "opened"


async def test_cancelled_calls_leave_breaker_closed() -> None:
    service = Service(Step(after=0.05))
    things = build_client(service)
    await cancel_calls(fetch(things).make)

    assert len(service.requests) == CROWD
    assert things.breaker is BreakerState.CLOSED
    assert await fetch(things) == Ok(LAMP)


async def test_half_open_purgatory_breaker_admits_all_calls() -> None:
    service = Service(REFUSES)
    other = PurgatoryClient(service)
    for _ in range(FAILURES):
        with pytest.raises(httpx.ConnectError):
            await other.call()
    service.steps = [SLOW]
    state = await other.state()
    await make_calls(other.call)

    assert state == "opened"
    assert len(service.requests) == FAILURES + CROWD


async def test_half_open_breaker_admits_few_probes() -> None:
    service = Service(REFUSES)
    things = build_client(service, timeout=2.0)
    while things.breaker is BreakerState.CLOSED:
        await fetch(things)
    await asyncio.sleep(0.5)
    service.steps = [SLOW]
    before, state = len(service.requests), things.breaker
    await make_calls(fetch(things).make)

    assert (before, state) == (FAILURES, BreakerState.HALF_OPEN)
    assert len(service.requests) == before + PROBES
