"""Garbage of stages and commits: no reference cycles, so memory stays flat without the collector."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gateway.railway import CONCURRENT, FAIL_FAST, parallel
from tests.railway.scripted_calls import FINE, MISSING, TAKEN, Services, three_calls
from tests.railway.scripted_writes import LATE, Bank, Reply


@pytest.fixture
def _disable_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def succeed(services: Services) -> None:
    await three_calls(services.call("a"), services.call("b"), services.call("c"))


async def fail(services: Services) -> None:
    await three_calls(services.call("a", MISSING), services.call("b"), services.call("c"))


async def fail_fast(services: Services) -> None:
    await three_calls(services.call("a", MISSING), services.hang("b"), services.hang("c"), policy=FAIL_FAST)


async def time_out(services: Services) -> None:
    await parallel(services.hang("a").within(1), services.hang("b")).within(2)


async def cancel(services: Services) -> None:
    request = asyncio.ensure_future(three_calls(services.hang("a"), services.hang("b"), services.hang("c")))
    await asyncio.sleep(1)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request


async def commit(_world: Services) -> None:
    bank = Bank()
    await bank.commit(bank.write("a", LATE, FINE), bank.write("b"))


async def undo(_world: Services) -> None:
    bank = Bank()
    await bank.commit(bank.write("a", undos=[LATE, FINE]), bank.write("b", TAKEN), policy=CONCURRENT)


async def cancel_commit(_world: Services) -> None:
    bank = Bank()
    request = asyncio.ensure_future(bank.commit(bank.write("a", Reply(after=2))))
    await asyncio.sleep(1)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request


@pytest.mark.usefixtures("_disable_collector")
@pytest.mark.parametrize(
    "scenario", [succeed, fail, fail_fast, time_out, cancel, commit, undo, cancel_commit]
)
async def test_ended_stage_or_commit_leaves_no_cycle(
    services: Services, scenario: Callable[[Services], Awaitable[None]]
) -> None:
    await scenario(services)
    gc.collect()

    await scenario(services)

    assert gc.collect() == 0
