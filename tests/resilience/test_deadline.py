import asyncio

import pytest

from gateway.railway import Ok, time_left
from gateway.resilience.deadline import clip_to_deadline, is_over
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
    settle,
)


async def test_without_a_deadline_there_is_all_the_time_in_the_world() -> None:
    assert time_left() == float("inf")
    assert clip_to_deadline(9.0) == 9.0
    assert not is_over(after=9.0)


async def test_nothing_has_more_time_than_the_run() -> None:
    have_left(2.0)

    assert (clip_to_deadline(1.0), clip_to_deadline(3.0)) == (1.0, 2.0)


@pytest.mark.parametrize(("left", "over"), [(0.5, False), (0.002, False), (0.0005, True), (-1.0, True)])
async def test_less_than_a_millisecond_is_nothing(left: float, over: bool) -> None:  # noqa: FBT001 - a table
    have_left(left)

    assert is_over() is over
    assert is_over(after=1.0)


async def test_each_attempt_is_told_how_little_is_left() -> None:
    service = Service(HANGS)
    have_left(2.5)

    result = await fetch(client(service))
    left = 2.5 - service.times[2]
    assert service.budgets == [1000, 1000, int(left * 1000)]
    assert 0.35 <= left <= 0.5
    assert result == late(left)
    assert now() == pytest.approx(2.5)


async def test_no_attempt_starts_when_it_would_be_over_before() -> None:
    service = Service(Does(503, after=0.9995))
    have_left(1.0)
    await fetch(client(service))

    assert service.times == [0.0]
    assert now() == 0.9995


async def test_a_pause_that_the_deadline_would_cut_is_not_made() -> None:
    service = Service(Does(503, retry_after="3"))
    have_left(2.5)
    await fetch(client(service))

    assert len(service.requests) == 1
    assert now() == 0.0


async def test_a_deadline_that_passes_in_the_queue_is_a_timeout_of_what_was_not_sent() -> None:
    service = Service(HANGS)
    things = client(service, at_once=1)
    have_left(0.05)
    first, second = await crowd(2, lambda: fetch(things))

    assert first == late(0.05)
    assert second == late(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert now() == pytest.approx(0.05)


async def test_a_deadline_that_passes_while_others_have_every_place_is_one_as_well() -> None:
    things = client(Service(HANGS), at_once=1)
    other = asyncio.create_task(fetch(things).make())
    await settle()
    have_left(0.05)

    assert await fetch(things) == late(0.0, was_sent=False)
    assert now() == pytest.approx(0.05)
    assert things.policies.counts.shed == 0
    other.cancel()


async def test_an_attempt_that_gets_its_turn_too_late_is_not_made() -> None:
    """The place is free half a millisecond before the deadline: that is no time to ask anything."""
    service = Service(Does(after=0.0495))
    things = client(service, at_once=1)
    have_left(0.05)
    first, second = await crowd(2, lambda: fetch(things))

    assert first == Ok(LAMP)
    assert second == late(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert (things.policies.in_flight, things.policies.counts.attempts) == (0, 1)
