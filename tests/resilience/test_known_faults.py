"""Two known faults of other breakers, shown by one of them and not by ours.

`purgatory` is made for asyncio, is released, and has both. So it stands in the code of others: `pybreaker`
takes a cancellation for a failure too, and `circuitbreaker` takes it for a success; half open,
`circuitbreaker` and `asyncbreaker` let everybody through too.
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
from tests.resilience.scripted_upstream import REFUSES, Does, Service, client, fetch

Ask: TypeAlias = Callable[[], Awaitable[object]]

CROWD: Final = 100
FAILURES: Final = 20
"""After so many, either breaker opens."""
PROBES: Final = 3
SLOW: Final = Does(after=1.0)


class Theirs:
    """A service behind a breaker of `purgatory`.

    That goes by the clock on the wall, which does not jump; so its pause is none at all.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=FAILURES, default_ttl=0.0)

    async def ask(self) -> httpx.Response:
        async with await self._breakers.get_breaker("things"):
            return await self._service.handle_async_request(httpx.Request("GET", "http://things.test"))

    async def state(self) -> str:
        return (await self._breakers.get_breaker("things")).context.state


async def hang_up(ask: Ask) -> None:
    """Ask a hundred times at once, and hang up before anybody can have answered."""
    callers = [asyncio.ensure_future(ask()) for _ in range(CROWD)]
    await asyncio.sleep(0.01)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)


async def come_all_at_once(ask: Ask) -> None:
    """Ask a hundred times at once, whatever comes of it."""
    await asyncio.gather(*(ask() for _ in range(CROWD)), return_exceptions=True)


async def test_another_breaker_opens_when_the_callers_of_a_healthy_service_hang_up() -> None:
    theirs = Theirs(Service(Does(after=0.05)))
    await hang_up(theirs.ask)

    assert await theirs.state() == "opened"


async def test_ours_stays_closed_when_the_callers_of_a_healthy_service_hang_up() -> None:
    service = Service(Does(after=0.05))
    things = client(service)
    await hang_up(fetch(things).make)

    assert len(service.requests) == CROWD
    assert things.breaker is BreakerState.CLOSED
    assert await fetch(things) == Ok(LAMP)


async def test_another_breaker_lets_a_crowd_through_when_half_open() -> None:
    service = Service(REFUSES)
    theirs = Theirs(service)
    for _ in range(FAILURES):
        with pytest.raises(httpx.ConnectError):
            await theirs.ask()
    service.does = [SLOW]
    state = await theirs.state()
    await come_all_at_once(theirs.ask)

    assert state == "opened"
    assert len(service.requests) == FAILURES + CROWD


async def test_ours_lets_a_few_through_when_half_open() -> None:
    service = Service(REFUSES)
    things = client(service, timeout=2.0)
    while things.breaker is BreakerState.CLOSED:
        await fetch(things)
    await asyncio.sleep(0.5)
    service.does = [SLOW]
    before, state = len(service.requests), things.breaker
    await come_all_at_once(fetch(things).make)

    assert (before, state) == (FAILURES, BreakerState.HALF_OPEN)
    assert len(service.requests) == before + PROBES
