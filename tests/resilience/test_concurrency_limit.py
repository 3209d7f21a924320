"""Concurrency limit: running, queued and shed calls."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Ok
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from gateway.resilience.terms import ConcurrencyTerms
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    HANGS,
    Service,
    Step,
    build_client,
    build_shed,
    build_timed_out,
    call_at_once,
    fetch,
    now,
    set_deadline,
    settle,
)


def build_limit(max_concurrency: int, queue_timeout: float = 0.1) -> ConcurrencyLimit:
    return ConcurrencyLimit(ConcurrencyTerms(max_concurrency, queue_timeout))


@dataclass
class Calls:
    """Calls under a limit, by number: *admitted* in the order of admission, and *shed*."""

    limit: ConcurrencyLimit
    admitted: list[int] = field(default_factory=list[int])
    shed: list[int] = field(default_factory=list[int])
    running: int = 0
    peak: int = 0

    async def make(self, number: int, seconds: float) -> None:
        if not await self.limit.acquire():
            self.shed.append(number)
            return
        try:
            self.admitted.append(number)
            self.running += 1
            self.peak = max(self.peak, self.running)
            await asyncio.sleep(seconds)
        finally:
            self.running -= 1
            self.limit.release()

    async def check_free_slots(self, size: int) -> bool:
        """Return True if exactly *size* slots are free."""
        before = now()
        slots = [await self.limit.acquire() for _ in range(size)]
        is_full = self.limit.in_flight == size and not await self.limit.acquire()
        for _ in range(size):
            self.limit.release()
        return all(slots) and is_full and now() - before == pytest.approx(0.1)


async def test_calls_within_limit_run_concurrently() -> None:
    calls = Calls(build_limit(3))
    await asyncio.gather(*(calls.make(number, 0.05) for number in range(3)))

    assert (calls.admitted, calls.peak, now()) == ([0, 1, 2], 3, 0.05)


async def test_queue_is_first_come_first_served() -> None:
    calls = Calls(build_limit(3))
    await asyncio.gather(*(calls.make(number, 0.05) for number in range(6)))

    assert (calls.admitted, calls.shed, calls.peak) == ([0, 1, 2, 3, 4, 5], [], 3)


async def test_calls_beyond_queue_are_shed() -> None:
    calls = Calls(build_limit(3))
    tasks = [asyncio.create_task(calls.make(number, 0.05)) for number in range(8)]
    await settle()

    assert (calls.shed, calls.limit.waiting, now()) == ([6, 7], 3, 0)
    await asyncio.wait(tasks)


async def test_queue_timeout_sheds_queued_call() -> None:
    calls = Calls(build_limit(1, queue_timeout=0.25))
    first = asyncio.create_task(calls.make(1, 9))
    await settle()
    await calls.make(2, 9)

    assert (calls.shed, now(), calls.limit.waiting) == ([2], 0.25, 0)
    await first


async def test_zero_queue_timeout_disables_queue() -> None:
    calls = Calls(build_limit(1, queue_timeout=0))
    tasks = [asyncio.create_task(calls.make(number, 0.05)) for number in range(2)]
    await settle()

    assert (calls.admitted, calls.shed, now()) == ([0], [1], 0)
    await asyncio.wait(tasks)


async def test_deadline_ends_wait_in_queue() -> None:
    calls = Calls(build_limit(1))
    first = asyncio.create_task(calls.make(1, 9))
    await settle()
    set_deadline(0.03)
    await calls.make(2, 9)

    assert (calls.shed, now()) == ([2], 0.03)
    await first


async def test_new_call_waits_behind_queued_call() -> None:
    calls = Calls(build_limit(2))
    assert await calls.limit.acquire()
    assert await calls.limit.acquire()
    waiting = asyncio.create_task(calls.make(1, 0.01))
    await settle()
    calls.limit.release()  # the slot is free, and the waiting task has not run yet
    arriving = asyncio.create_task(calls.make(2, 0.01))
    await asyncio.wait([waiting, arriving])

    assert calls.admitted == [1, 2]


async def test_cancelled_call_leaves_queue() -> None:
    calls = Calls(build_limit(2))
    tasks = [asyncio.create_task(calls.make(number, 0.05)) for number in range(4)]
    await settle()
    tasks[2].cancel()
    await asyncio.wait(tasks)

    assert calls.admitted == [0, 1, 3]
    assert await calls.check_free_slots(2)


async def test_cancelled_call_passes_on_its_slot() -> None:
    """A call that is cancelled as it gets a slot passes the slot on to the next call."""
    calls = Calls(build_limit(2))
    assert await calls.limit.acquire()
    assert await calls.limit.acquire()
    second, third = (asyncio.create_task(calls.make(number, 0.01)) for number in (2, 3))
    await settle()
    calls.limit.release()  # the second has its slot, and has not run yet
    second.cancel()
    await asyncio.wait([second, third])
    calls.limit.release()

    assert second.cancelled()
    assert calls.admitted == [3]
    assert await calls.check_free_slots(2)


@dataclass(frozen=True)
class CallPlan:
    """Plan of a call: its start, duration, deadline and cancellation, in seconds."""

    start: float
    duration: float
    deadline: float | None
    cancelled_after: float | None


INSTANTS: Final = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
PLANS: Final = st.lists(
    st.builds(
        CallPlan,
        start=INSTANTS,
        duration=INSTANTS,
        deadline=st.none() | INSTANTS,
        cancelled_after=st.none() | INSTANTS,
    ),
    max_size=14,
)


@given(PLANS, st.integers(1, 3))
async def test_limit_never_loses_or_doubles_slots(plans: Sequence[CallPlan], max_concurrency: int) -> None:
    """Many events share an instant: slots come free, queue timeouts and deadlines pass, callers cancel."""
    calls = Calls(build_limit(max_concurrency))

    async def run_plan(number: int, plan: CallPlan) -> None:
        await asyncio.sleep(plan.start)
        if plan.deadline is not None:
            set_deadline(plan.deadline)
        task = asyncio.create_task(calls.make(number, plan.duration))
        if plan.cancelled_after is not None:
            await asyncio.sleep(plan.cancelled_after)
            task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*(run_plan(number, plan) for number, plan in enumerate(plans)))

    assert calls.peak <= max_concurrency
    assert (calls.running, calls.limit.in_flight, calls.limit.waiting) == (0, 0, 0)
    assert await calls.check_free_slots(max_concurrency)


# Concurrency limit of a client.


async def test_client_sheds_calls_beyond_queue() -> None:
    service = Service(Step(after=0.05))
    things = build_client(service, max_concurrency=2)
    results = await call_at_once(6, lambda: fetch(things))

    assert results == [*[Ok(LAMP)] * 4, *[build_shed()] * 2]
    assert (things.policies.counts.shed, len(service.requests), now()) == (2, 4, 0.1)


async def test_shed_call_has_retry_after() -> None:
    service = Service(HANGS)
    things = build_client(service, max_concurrency=1)
    running = asyncio.create_task(fetch(things).make())
    await settle()
    result = await fetch(things)

    assert result == build_shed()
    assert (now(), things.policies.counts.shed) == (0.1, 1)
    assert await running == build_timed_out(1.0)


async def test_call_frees_slot_during_backoff() -> None:
    service = Service(Step(503, retry_after="9"), Step())
    things = build_client(service, max_concurrency=1)
    pausing = asyncio.create_task(fetch(things).make())
    await settle()

    assert (things.policies.in_flight, await fetch(things), now()) == (0, Ok(LAMP), 0)
    assert await pausing == Ok(LAMP)


async def test_policies_count_running_and_queued_calls() -> None:
    things = build_client(Service(Step(after=0.05)), max_concurrency=2)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()

    assert (things.policies.in_flight, things.policies.waiting) == (2, 1)
    await asyncio.wait(calls)
    assert (things.policies.in_flight, things.policies.waiting) == (0, 0)
