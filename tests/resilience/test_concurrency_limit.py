"""How many calls a service is asked at once, and what becomes of the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Ok
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    HANGS,
    Does,
    Service,
    client,
    crowd,
    fetch,
    have_left,
    late,
    now,
    refused_for_want_of_a_place,
    settle,
)


@dataclass
class Door:
    """A limit, those who have been let in, in that order, and those who were turned away."""

    limit: ConcurrencyLimit
    let_in: list[int] = field(default_factory=list[int])
    turned_away: list[int] = field(default_factory=list[int])
    inside: int = 0
    most: int = 0

    async def visit(self, who: int, seconds: float) -> None:
        if not await self.limit.enter():
            self.turned_away.append(who)
            return
        try:
            self.let_in.append(who)
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(seconds)
        finally:
            self.inside -= 1
            self.limit.leave()

    async def has_room_for(self, size: int) -> bool:
        """Say whether so many are let in without waiting, and no more."""
        before = now()
        places = [await self.limit.enter() for _ in range(size)]
        is_full = self.limit.in_flight == size and not await self.limit.enter()
        for _ in range(size):
            self.limit.leave()
        return all(places) and is_full and now() - before == pytest.approx(0.1)


async def test_as_many_as_the_limit_are_let_in_at_once() -> None:
    door = Door(ConcurrencyLimit(3))
    await asyncio.gather(*(door.visit(who, 0.05) for who in range(3)))

    assert (door.let_in, door.most, now()) == ([0, 1, 2], 3, 0.05)


async def test_as_many_more_wait_and_are_let_in_in_the_order_in_which_they_came() -> None:
    door = Door(ConcurrencyLimit(3))
    await asyncio.gather(*(door.visit(who, 0.05) for who in range(6)))

    assert (door.let_in, door.turned_away, door.most) == ([0, 1, 2, 3, 4, 5], [], 3)


async def test_nobody_else_even_waits() -> None:
    door = Door(ConcurrencyLimit(3))
    visits = [asyncio.create_task(door.visit(who, 0.05)) for who in range(8)]
    await settle()

    assert (door.turned_away, door.limit.waiting, now()) == ([6, 7], 3, 0)
    await asyncio.wait(visits)


async def test_nobody_waits_for_longer_than_the_patience() -> None:
    door = Door(ConcurrencyLimit(1, patience=0.25))
    first = asyncio.create_task(door.visit(1, 9))
    await settle()
    await door.visit(2, 9)

    assert (door.turned_away, now(), door.limit.waiting) == ([2], 0.25, 0)
    await first


async def test_nobody_waits_for_longer_than_there_is_time() -> None:
    door = Door(ConcurrencyLimit(1))
    first = asyncio.create_task(door.visit(1, 9))
    await settle()
    have_left(0.03)
    await door.visit(2, 9)

    assert (door.turned_away, now()) == ([2], 0.03)
    await first


async def test_who_comes_when_a_place_is_free_but_somebody_waits_for_it_comes_after_them() -> None:
    door = Door(ConcurrencyLimit(2))
    assert await door.limit.enter()
    assert await door.limit.enter()
    waits = asyncio.create_task(door.visit(1, 0.01))
    await settle()
    door.limit.leave()  # a place is free, and who waits for it has not heard of it yet
    comes = asyncio.create_task(door.visit(2, 0.01))
    await asyncio.wait([waits, comes])

    assert door.let_in == [1, 2]


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    door = Door(ConcurrencyLimit(2))
    visits = [asyncio.create_task(door.visit(who, 0.05)) for who in range(4)]
    await settle()
    visits[2].cancel()
    await asyncio.wait(visits)

    assert door.let_in == [0, 1, 3]
    assert await door.has_room_for(2)


async def test_who_is_cancelled_in_the_moment_of_being_let_in_leaves_the_turn_to_the_next() -> None:
    door = Door(ConcurrencyLimit(2))
    assert await door.limit.enter()
    assert await door.limit.enter()
    second, third = (asyncio.create_task(door.visit(who, 0.01)) for who in (2, 3))
    await settle()
    door.limit.leave()  # the second has its place, and has not heard of it yet
    second.cancel()
    await asyncio.wait([second, third])
    door.limit.leave()

    assert second.cancelled()
    assert door.let_in == [3]
    assert await door.has_room_for(2)


@dataclass(frozen=True)
class Visit:
    """Somebody who comes, would stay for so long, and is cancelled that long after coming, if at all."""

    comes: float
    stays: float
    has: float | None
    cancelled_after: float | None


INSTANTS: Final = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
VISITS: Final = st.lists(
    st.builds(
        Visit,
        comes=INSTANTS,
        stays=INSTANTS,
        has=st.none() | INSTANTS,
        cancelled_after=st.none() | INSTANTS,
    ),
    max_size=14,
)


@given(VISITS, st.integers(1, 3))
async def test_whatever_happens_no_place_is_lost_and_none_too_many_given(
    visits: Sequence[Visit], at_once: int
) -> None:
    """Many things happen in the same instant: places come free, patience and time end, callers give up."""
    door = Door(ConcurrencyLimit(at_once))

    async def come(who: int, visit: Visit) -> None:
        await asyncio.sleep(visit.comes)
        if visit.has is not None:
            have_left(visit.has)
        coming = asyncio.create_task(door.visit(who, visit.stays))
        if visit.cancelled_after is not None:
            await asyncio.sleep(visit.cancelled_after)
            coming.cancel()
        await asyncio.wait([coming])

    await asyncio.gather(*(come(who, visit) for who, visit in enumerate(visits)))

    assert door.most <= at_once
    assert (door.inside, door.limit.in_flight, door.limit.waiting) == (0, 0, 0)
    assert await door.has_room_for(at_once)


# The rest is about the limit in its place: between a call and a service.


async def test_calls_beyond_the_limit_and_the_queue_are_refused_at_once() -> None:
    service = Service(Does(after=0.05))
    things = client(service, at_once=2)
    results = await crowd(6, lambda: fetch(things))

    assert results == [*[Ok(LAMP)] * 4, *[refused_for_want_of_a_place()] * 2]
    assert (things.policies.counts.shed, len(service.requests), now()) == (2, 4, 0.1)


async def test_a_call_that_has_waited_in_vain_may_come_back_in_a_second() -> None:
    service = Service(HANGS)
    things = client(service, at_once=1)
    in_vain = asyncio.create_task(fetch(things).make())
    await settle()
    result = await fetch(things)

    assert result == refused_for_want_of_a_place()
    assert (now(), things.policies.counts.shed) == (0.1, 1)
    assert await in_vain == late(1.0)


async def test_a_call_leaves_its_place_to_others_while_it_pauses() -> None:
    service = Service(Does(503, retry_after="9"), Does())
    things = client(service, at_once=1)
    pausing = asyncio.create_task(fetch(things).make())
    await settle()

    assert (things.policies.in_flight, await fetch(things), now()) == (0, Ok(LAMP), 0)
    assert await pausing == Ok(LAMP)


async def test_it_is_known_how_many_are_under_way_and_wait() -> None:
    things = client(Service(Does(after=0.05)), at_once=2)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()

    assert (things.policies.in_flight, things.policies.waiting) == (2, 1)
    await asyncio.wait(calls)
    assert (things.policies.in_flight, things.policies.waiting) == (0, 0)
