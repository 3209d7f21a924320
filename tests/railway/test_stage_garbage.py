"""What a stage or a commit leaves behind: nothing, so that memory is flat without the cycle collector."""

import asyncio
import contextlib
import gc
from collections.abc import Awaitable, Callable, Iterator

import pytest

from gateway.railway import CONCURRENT, FAIL_FAST, parallel
from tests.railway.scripted_calls import FINE, MISSING, TAKEN, World, trio
from tests.railway.scripted_writes import LATE, Bank, Told


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def succeeding(world: World) -> None:
    await trio(world.call("a"), world.call("b"), world.call("c"))


async def failing(world: World) -> None:
    await trio(world.call("a", MISSING), world.call("b"), world.call("c"))


async def failing_fast(world: World) -> None:
    await trio(world.call("a", MISSING), world.hung("b"), world.hung("c"), policy=FAIL_FAST)


async def timed_out(world: World) -> None:
    await parallel(world.hung("a").within(1), world.hung("b")).within(2)


async def cancelled(world: World) -> None:
    request = asyncio.ensure_future(trio(world.hung("a"), world.hung("b"), world.hung("c")))
    await asyncio.sleep(1)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request


async def committed(_world: World) -> None:
    bank = Bank()
    await bank.commit(bank.write("a", LATE, FINE), bank.write("b"))


async def undone(_world: World) -> None:
    bank = Bank()
    await bank.commit(bank.write("a", undone=[LATE, FINE]), bank.write("b", TAKEN), policy=CONCURRENT)


async def cut_off(_world: World) -> None:
    bank = Bank()
    request = asyncio.ensure_future(bank.commit(bank.write("a", Told(after=2))))
    await asyncio.sleep(1)
    request.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await request


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    "way", [succeeding, failing, failing_fast, timed_out, cancelled, committed, undone, cut_off]
)
async def test_however_a_stage_or_a_commit_ends_it_leaves_no_cycle(
    world: World, way: Callable[[World], Awaitable[None]]
) -> None:
    await way(world)
    gc.collect()

    await way(world)

    assert gc.collect() == 0
