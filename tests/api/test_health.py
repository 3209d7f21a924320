"""Whether the gateway can serve."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.api import ops
from gateway.api.application import application
from gateway.api.health import Ping, Readiness
from gateway.api.route import Serving
from tests.api.world import client_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Upstream:
    """Counts how often it is asked."""

    def __init__(self, *, is_up: bool = True, seconds: float = 0.1) -> None:
        self.asked = 0
        self._is_up = is_up
        self._seconds = seconds

    async def ping(self) -> bool:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        return self._is_up


async def broken() -> bool:
    raise KeyError


def check(status: str) -> list[dict[str, Any]]:
    return [{"status": status, "componentType": "system", "time": "2026-01-31T12:00:00+00:00"}]


async def test_all_upstreams_well_is_a_pass() -> None:
    readiness = Readiness({"user": Upstream().ping, "payment": Upstream().ping}, lambda: NOON)

    assert await readiness.report() == {
        "status": "pass",
        "checks": {"user": check("pass"), "payment": check("pass")},
    }


@pytest.mark.parametrize(
    "ping",
    [Upstream(is_up=False).ping, Upstream(seconds=60).ping, broken],
    ids=["says so", "hangs", "raises"],
)
async def test_an_upstream_in_trouble_is_a_warning(ping: Ping) -> None:
    readiness = Readiness({"user": Upstream().ping, "payment": ping}, lambda: NOON)

    assert await readiness.report() == {
        "status": "warn",
        "checks": {"user": check("pass"), "payment": check("fail")},
    }


async def test_a_ping_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await Readiness({"user": broken}).report()

    (record,) = caplog.records
    assert record.exc_info


async def test_upstreams_are_asked_all_at_once() -> None:
    clock = asyncio.get_running_loop().time
    start = clock()

    await Readiness({str(number): Upstream(seconds=0.5).ping for number in range(12)}).report()

    assert clock() - start == pytest.approx(0.5)


async def test_those_who_want_to_know_at_the_same_time_share_one_round() -> None:
    upstream = Upstream()
    readiness = Readiness({"user": upstream.ping})

    await asyncio.gather(*(readiness.report() for _ in range(50)))

    assert upstream.asked == 1


async def test_upstreams_are_asked_once_a_second_at_the_most() -> None:
    upstream = Upstream(seconds=0)
    readiness = Readiness({"user": upstream.ping})

    for _ in range(9):
        await readiness.report()
        await asyncio.sleep(0.25)

    assert upstream.asked == 3


async def test_one_who_leaves_while_waiting_leaves_the_others_an_answer() -> None:
    upstream = Upstream()
    readiness = Readiness({"user": upstream.ping})
    leaver = asyncio.create_task(readiness.report())
    stayer = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)

    leaver.cancel()

    assert (await stayer)["status"] == "pass"


@pytest.fixture
def readiness() -> Readiness:
    return Readiness({"user": Upstream(is_up=False).ping})


@pytest.fixture
async def prober(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(application(Serving(), ops.router(readiness))) as client:
        yield client


async def test_ready_is_200_although_an_upstream_is_in_trouble(prober: httpx.AsyncClient) -> None:
    answer = await prober.get("/health/ready")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["status"] == "warn"


async def test_ready_is_503_once_the_gateway_is_stopping(
    readiness: Readiness, prober: httpx.AsyncClient
) -> None:
    readiness.stop()

    answer = await prober.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["status"] == "fail"


async def test_live_is_200_also_when_the_gateway_is_stopping(
    readiness: Readiness, prober: httpx.AsyncClient
) -> None:
    readiness.stop()

    answer = await prober.get("/health/live")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"status": "pass"}
