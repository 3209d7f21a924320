"""Requests that wait for a run: their limits, and their places in the limits of others."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from gateway.executions.registry import NoAnswerReason
from gateway.executions.waiting import MAX_PER_KEY, MAX_WAITING, WaitingRoom
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    build_answer,
    build_replay,
    build_request,
    now,
    settle,
)


class Slot:
    """Place of a request in the limit of requests, which it may give back."""

    def __init__(self) -> None:
        self.is_taken = True

    @contextmanager
    def pause(self) -> Generator[None]:
        self.is_taken = False
        try:
            yield
        finally:
            self.is_taken = True


@pytest.fixture
async def room() -> WaitingRoom:
    return WaitingRoom()


async def never() -> bool:
    return False


async def test_33rd_request_for_a_key_does_not_wait(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    waiting = [asyncio.create_task(scripted.run(scripted.build_run())) for _ in range(MAX_PER_KEY)]
    await settle()

    assert await scripted.run(scripted.build_run()) is NoAnswerReason.RUNNING
    run.may_end.set()
    assert await asyncio.gather(*waiting) == [build_replay()] * MAX_PER_KEY
    assert await owner == build_answer()


async def test_33rd_request_for_other_process_does_not_wait(scripted: ScriptedRegistry) -> None:
    other = await scripted.start_process()
    await scripted.make_running()
    waiting = [asyncio.create_task(other.run(other.build_run(), deadline=9)) for _ in range(MAX_PER_KEY)]
    await settle()

    assert await other.run(other.build_run(), deadline=9) is NoAnswerReason.RUNNING
    assert now() == 0
    assert {await task for task in waiting} == {NoAnswerReason.RUNNING}
    assert 8.9 < now() < 9.1


async def test_at_most_1024_requests_wait() -> None:
    room, task = WaitingRoom(), asyncio.create_task(asyncio.sleep(9))
    waiting = [
        asyncio.create_task(room.wait(f"exe-{number % 40}", task, None)) for number in range(MAX_WAITING)
    ]
    await settle()

    assert not await room.wait("exe-other", task, None)
    assert not await room.wait_elsewhere("exe-elsewhere", never, None)
    assert now() == 0
    assert {await waiter for waiter in waiting} == {True}
    assert now() == 9


async def test_place_is_free_after_deadline() -> None:
    room, task = WaitingRoom(), asyncio.create_task(asyncio.sleep(99))
    waiting = [asyncio.create_task(room.wait("exe-1", task, 5)) for _ in range(MAX_PER_KEY)]
    await settle()
    assert {await waiter for waiter in waiting} == {False}

    assert not await room.wait("exe-1", task, 8)
    assert now() == 8
    task.cancel()


async def test_full_room_does_not_keep_back_answers() -> None:
    room, task = WaitingRoom(), asyncio.create_task(asyncio.sleep(9))
    waiting = [asyncio.create_task(room.wait("exe-1", task, None)) for _ in range(MAX_PER_KEY)]
    await asyncio.gather(*waiting)

    assert await room.wait("exe-1", task, 0)


async def test_last_waiter_ends_looks(room: WaitingRoom) -> None:
    before = asyncio.all_tasks()

    assert not await room.wait_elsewhere("exe-1", never, 2)
    await settle()

    assert asyncio.all_tasks() == before


async def test_looks_continue_for_other_waiters(room: WaitingRoom) -> None:
    looks: list[float] = []

    async def is_decided() -> bool:
        looks.append(now())
        return now() >= 3

    hasty, patient = (
        asyncio.create_task(room.wait_elsewhere("exe-1", is_decided, deadline)) for deadline in (1.05, None)
    )

    assert (await hasty, await patient) == (False, True)
    assert len(looks) == len({*looks}) == 31


async def test_decided_run_is_looked_at_again(room: WaitingRoom) -> None:
    async def is_decided() -> bool:
        return True

    first = asyncio.create_task(room.wait_elsewhere("exe-1", is_decided, None))
    second = asyncio.create_task(room.wait_elsewhere("exe-1", is_decided, None))

    assert (await first, await second) == (True, True)
    assert not await room.wait_elsewhere("exe-1", never, 1)


async def test_waiting_holds_no_place_in_other_limits(scripted: ScriptedRegistry) -> None:
    run, owner_slot, waiter_slot = scripted.build_run(), Slot(), Slot()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(pause=owner_slot.pause), run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(
        scripted.executions.run(build_request(pause=waiter_slot.pause), scripted.build_run())
    )
    await settle()

    assert (owner_slot.is_taken, waiter_slot.is_taken) == (True, False)
    run.may_end.set()
    await asyncio.gather(owner, waiter)
    assert waiter_slot.is_taken


async def test_waiting_for_other_process_holds_no_place(scripted: ScriptedRegistry) -> None:
    other, slot = await scripted.start_process(), Slot()
    await other.make_running()
    waiter = asyncio.create_task(
        scripted.executions.run(build_request(pause=slot.pause, deadline=5), scripted.build_run())
    )
    await settle()

    assert not slot.is_taken
    await waiter
    assert slot.is_taken
