"""What is sent when, and from when on its time counts."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import pytest

from benchmarks.storms.answers import LEFT, NONE
from benchmarks.storms.client import Client
from benchmarks.storms.request import FEED, Request
from tests.clock import AutojumpLoop
from tests.storms.fixed_capacity_server import Slots


async def test_a_steady_client_waits_for_no_answer() -> None:
    answers = await Client(Slots(100, 3.0)).steadily(repeat(FEED), rate=10, seconds=2)

    assert len(answers) == 20
    assert answers.quantile(1) == pytest.approx(3000)


async def test_a_request_that_is_sent_late_counts_from_when_it_was_due() -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AutojumpLoop)

    def standing_still() -> Iterator[Request]:
        yield FEED
        loop.jump(5.0)
        yield FEED

    _, late = await Client(Slots(100, 1.0)).steadily(standing_still(), rate=10)

    assert (late.begun, late.late, late.seconds) == pytest.approx((0.1, 4.9, 5.9))


async def test_busy_workers_send_one_after_the_other_until_their_time_is_over() -> None:
    answers = await Client(Slots(100, 0.5)).busily(repeat(FEED), workers=3, seconds=2)

    assert len(answers) == 3 * 4


async def test_busy_workers_send_no_more_than_there_is() -> None:
    answers = await Client(Slots(100, 0.5)).busily(repeat(FEED), workers=3, seconds=60, count=5)

    assert len(answers) == 5


async def test_who_leaves_has_left_and_who_waits_in_vain_has_none() -> None:
    client = Client(Slots(1, 60.0))

    assert (await client.ask(FEED.leaving(0.1))).status == LEFT
    assert (await client.ask(FEED)).status == NONE
