"""Measurements of the capacity of a server whose capacity is known."""

from itertools import repeat

import pytest

from benchmarks.storms.client.capacity import goodput_per_round, measure_capacity, measure_throughput
from benchmarks.storms.client.client import Client
from benchmarks.storms.client.request import CHECKOUT
from tests.storms.fixed_capacity_server import FixedCapacityServer


async def test_throughput_ignores_late_responses() -> None:
    client = Client(FixedCapacityServer(slots=10, seconds=0.75))

    assert await measure_throughput(client, workers=10, seconds=1) == 10


@pytest.mark.parametrize(("slots", "seconds"), [(16, 0.04), (64, 0.32)])
async def test_measured_capacity_matches_server(slots: int, seconds: float) -> None:
    found = await measure_capacity(Client(FixedCapacityServer(slots, seconds)), (8, 16, 32, 64, 128), 8)

    assert found.rounds == pytest.approx([slots / seconds] * 3, rel=0.02)
    assert found.workers >= slots


async def test_single_worker_count_skips_search() -> None:
    server = FixedCapacityServer(slots=4, seconds=1)

    found = await measure_capacity(Client(server), (4,), 2)

    assert found.workers == 4
    assert server.request_count == 3 * 8


async def test_goodput_ignores_late_responses() -> None:
    storm = await Client(FixedCapacityServer(slots=10, seconds=1)).send_at_rate(
        repeat(CHECKOUT), rate=20, seconds=6
    )

    assert goodput_per_round(storm, 6, 3) == pytest.approx([5, 10, 10], abs=0.5)
    assert len(storm.with_status(200)) == 120
