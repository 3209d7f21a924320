"""Deadline of a run: its effect on attempts, backoff and queueing."""

import asyncio

import pytest

from gateway.railway import Ok, time_left
from gateway.resilience.deadline import clip_to_deadline, has_deadline_passed
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    HANGS,
    Service,
    Step,
    build_client,
    build_timed_out,
    call_at_once,
    fetch,
    now,
    set_deadline,
    settle,
)


async def test_time_without_deadline_is_unlimited() -> None:
    assert time_left() == float("inf")
    assert clip_to_deadline(9.0) == 9.0
    assert not has_deadline_passed(time_left())


async def test_seconds_are_clipped_to_deadline() -> None:
    set_deadline(2.0)

    assert (clip_to_deadline(1.0), clip_to_deadline(3.0)) == (1.0, 2.0)


@pytest.mark.parametrize(("left", "has_passed"), [(0.5, False), (0.002, False), (0.0005, True), (-1.0, True)])
def test_deadline_passes_a_millisecond_early(left: float, has_passed: bool) -> None:  # noqa: FBT001 - a table
    """The deadline has passed when less than a millisecond is left."""
    assert has_deadline_passed(left) is has_passed


async def test_attempts_announce_remaining_budget() -> None:
    service = Service(HANGS)
    set_deadline(2.5)

    result = await fetch(build_client(service))
    left = 2.5 - service.times[2]
    assert service.budgets == [1000, 1000, int(left * 1000)]
    assert 0.35 <= left <= 0.5
    assert result == build_timed_out(left)
    assert now() == pytest.approx(2.5)


async def test_deadline_prevents_further_attempts() -> None:
    service = Service(Step(503, after=0.9995))
    set_deadline(1.0)
    await fetch(build_client(service))

    assert service.times == [0.0]
    assert now() == 0.9995


async def test_backoff_past_deadline_ends_call() -> None:
    """A backoff that the deadline would cut short is not begun."""
    service = Service(Step(503, retry_after="3"))
    set_deadline(2.5)
    await fetch(build_client(service))

    assert len(service.requests) == 1
    assert now() == 0.0


async def test_call_queued_until_deadline_times_out_unsent() -> None:
    service = Service(HANGS)
    things = build_client(service, max_concurrency=1)
    set_deadline(0.05)
    first, second = await call_at_once(2, lambda: fetch(things))

    assert first == build_timed_out(0.05)
    assert second == build_timed_out(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert now() == pytest.approx(0.05)


async def test_call_queued_until_deadline_is_not_shed() -> None:
    things = build_client(Service(HANGS), max_concurrency=1)
    other = asyncio.create_task(fetch(things).make())
    await settle()
    set_deadline(0.05)

    assert await fetch(things) == build_timed_out(0.0, was_sent=False)
    assert now() == pytest.approx(0.05)
    assert things.policies.counts.shed == 0
    other.cancel()


async def test_attempt_is_not_made_just_before_deadline() -> None:
    """The slot comes free half a millisecond before the deadline, whose resolution is a millisecond."""
    service = Service(Step(after=0.0495))
    things = build_client(service, max_concurrency=1)
    set_deadline(0.05)
    first, second = await call_at_once(2, lambda: fetch(things))

    assert first == Ok(LAMP)
    assert second == build_timed_out(0.0, was_sent=False)
    assert len(service.requests) == 1
    assert (things.policies.in_flight, things.policies.counts.attempts) == (0, 1)
