"""When the load client sends requests, and how it measures them."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import pytest

from benchmarks.storms.client.client import Client
from benchmarks.storms.client.outcomes import DISCONNECTED, NO_RESPONSE
from benchmarks.storms.client.request import FEED, Request
from tests.clock import AutojumpLoop
from tests.storms.fixed_capacity_server import FixedCapacityServer


async def test_a_steady_client_waits_for_no_answer() -> None:
    answers = await Client(FixedCapacityServer(100, 3.0)).send_at_rate(repeat(FEED), rate=10, seconds=2)

    assert len(answers) == 20
    assert answers.quantile(1) == pytest.approx(3000)


async def test_a_request_that_is_sent_late_counts_from_when_it_was_due() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AutojumpLoop)

    def standing_still() -> Iterator[Request]:
        yield FEED
        loop.jump(5.0)
        yield FEED

    _, late = await Client(FixedCapacityServer(100, 1.0)).send_at_rate(standing_still(), rate=10)

    assert (late.due, late.lateness, late.seconds) == pytest.approx((0.1, 4.9, 5.9))


async def test_busy_workers_send_one_after_the_other_until_their_time_is_finished() -> None:
    answers = await Client(FixedCapacityServer(100, 0.5)).send_with_workers(
        repeat(FEED), workers=3, seconds=2
    )

    assert len(answers) == 3 * 4


async def test_busy_workers_send_no_more_than_there_is() -> None:
    answers = await Client(FixedCapacityServer(100, 0.5)).send_with_workers(
        repeat(FEED), workers=3, seconds=60, count=5
    )

    assert len(answers) == 5


async def test_who_leaves_has_left_and_who_waits_in_vain_has_none() -> None:
    client = Client(FixedCapacityServer(1, 60.0))

    assert (await client.send(FEED.with_disconnect(0.1))).status == DISCONNECTED
    assert (await client.send(FEED)).status == NO_RESPONSE
