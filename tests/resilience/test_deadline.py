"""How the deadline of a run bounds attempts, backoff and queueing."""

import asyncio

import pytest

from gateway.railway import Ok, time_left
from gateway.resilience.deadline import clip_to_deadline, has_deadline_passed
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    HANGS,
    Service,
    Step,
    client,
    crowd,
    fetch,
    late,
    now,
    set_deadline,
    settle,
)


async def test_time_is_unlimited_without_a_deadline() -> None:
    assert time_left() == float("inf")
    assert clip_to_deadline(9.0) == 9.0
    assert not has_deadline_passed(after=9.0)


async def test_seconds_are_clipped_to_the_deadline() -> None:
    set_deadline(2.0)

    assert (clip_to_deadline(1.0), clip_to_deadline(3.0)) == (1.0, 2.0)


@pytest.mark.parametrize(("left", "over"), [(0.5, False), (0.002, False), (0.0005, True), (-1.0, True)])
async def test_deadline_has_passed_when_under_a_millisecond_is_left(left: float, over: bool) -> None:  # noqa: FBT001 - a table
    set_deadline(left)

    assert has_deadline_passed() is over
    assert has_deadline_passed(after=1.0)


async def test_each_attempt_announces_its_remaining_budget() -> None:
    service = Service(HANGS)
    set_deadline(2.5)

    result = await fetch(client(service))
    left = 2.5 - service.times[2]
    assert service.budgets == [1000, 1000, int(left * 1000)]
    assert 0.35 <= left <= 0.5
    assert result == late(left)
    assert now() == pytest.approx(2.5)


async def test_no_attempt_starts_after_the_deadline() -> None:
    service = Service(Step(503, after=0.9995))
    set_deadline(1.0)
    await fetch(client(service))

    assert service.times == [0.0]
    assert now() == 0.9995


async def test_no_backoff_that_the_deadline_would_cut() -> None:
    service = Service(Step(503, retry_after="3"))
    set_deadline(2.5)
    await fetch(client(service))

    assert len(service.requests) == 1
    assert now() == 0.0


async def test_deadline_in_the_queue_is_a_timeout_not_sent() -> None:
    service = Service(HANGS)
    things = client(service, max_concurrency=1)
    set_deadline(0.05)
    first, second = await crowd(2, lambda: fetch(things))

    assert first == late(0.05)
    assert second == late(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert now() == pytest.approx(0.05)


async def test_deadline_while_the_limit_is_full_is_a_timeout() -> None:
    things = client(Service(HANGS), max_concurrency=1)
    other = asyncio.create_task(fetch(things).make())
    await settle()
    set_deadline(0.05)

    assert await fetch(things) == late(0.0, was_sent=False)
    assert now() == pytest.approx(0.05)
    assert things.policies.counts.shed == 0
    other.cancel()


async def test_attempt_that_gets_its_slot_too_late_is_not_made() -> None:
    """The slot comes free half a millisecond before the deadline, which is below its resolution."""
    service = Service(Step(after=0.0495))
    things = client(service, max_concurrency=1)
    set_deadline(0.05)
    first, second = await crowd(2, lambda: fetch(things))

    assert first == Ok(LAMP)
    assert second == late(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert (things.policies.in_flight, things.policies.counts.attempts) == (0, 1)
