"""Capacity is found on a server whose capacity is known."""

from itertools import repeat

import pytest

from benchmarks.storms.capacity import capacity, goodputs, served
from benchmarks.storms.client import Client
from benchmarks.storms.request import CHECKOUT
from tests.storms.fixed_capacity_server import Slots


async def test_what_comes_after_the_window_does_not_count() -> None:
    client = Client(Slots(slots=10, seconds=0.75))

    assert await served(client, workers=10, seconds=1) == 10


@pytest.mark.parametrize(("slots", "seconds"), [(16, 0.04), (64, 0.32)])
async def test_the_capacity_of_a_server_is_what_it_can_answer(slots: int, seconds: float) -> None:
    found = await capacity(Client(Slots(slots, seconds)), (8, 16, 32, 64, 128), 8)

    assert found.rounds == pytest.approx([slots / seconds] * 3, rel=0.02)
    assert found.workers >= slots


async def test_one_number_of_workers_is_not_compared_with_itself() -> None:
    server = Slots(slots=4, seconds=1)

    found = await capacity(Client(server), (4,), 2)

    assert found.workers == 4
    assert server.asked == 3 * 8


async def test_goodput_is_what_came_within_the_storm() -> None:
    storm = await Client(Slots(slots=10, seconds=1)).steadily(repeat(CHECKOUT), rate=20, seconds=6)

    assert goodputs(storm, 6, 3) == pytest.approx([5, 10, 10], abs=0.5)
    assert len(storm.of(200)) == 120
