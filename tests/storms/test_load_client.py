"""Times at which the load client sends requests, and its measurements."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import pytest

from benchmarks.storms.client.client import Client
from benchmarks.storms.client.outcomes import DISCONNECTED, NO_RESPONSE
from benchmarks.storms.client.request import FEED, Request
from tests.clock import AutojumpLoop
from tests.storms.fixed_capacity_server import FixedCapacityServer


async def test_open_loop_does_not_wait_for_responses() -> None:
    answers = await Client(FixedCapacityServer(100, 3.0)).send_at_rate(repeat(FEED), rate=10, seconds=2)

    assert len(answers) == 20
    assert answers.quantile(1) == pytest.approx(3000)


async def test_late_request_is_measured_from_due_time() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AutojumpLoop)

    def stall() -> Iterator[Request]:
        yield FEED
        loop.jump(5.0)
        yield FEED

    _, late = await Client(FixedCapacityServer(100, 1.0)).send_at_rate(stall(), rate=10)

    assert (late.due, late.lateness, late.seconds) == pytest.approx((0.1, 4.9, 5.9))


async def test_workers_stop_when_time_is_over() -> None:
    answers = await Client(FixedCapacityServer(100, 0.5)).send_with_workers(
        repeat(FEED), workers=3, seconds=2
    )

    assert len(answers) == 3 * 4


async def test_workers_stop_after_count_requests() -> None:
    answers = await Client(FixedCapacityServer(100, 0.5)).send_with_workers(
        repeat(FEED), workers=3, seconds=60, count=5
    )

    assert len(answers) == 5


async def test_disconnect_and_timeout_have_own_statuses() -> None:
    client = Client(FixedCapacityServer(1, 60.0))

    assert (await client.send(FEED.with_disconnect(0.1))).status == DISCONNECTED
    assert (await client.send(FEED)).status == NO_RESPONSE
