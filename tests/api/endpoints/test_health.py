"""Whether the gateway can serve."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from typing_extensions import override

from gateway.api.application import Gateway
from gateway.api.endpoints import health
from gateway.api.endpoints.readiness import Readiness
from gateway.resilience.circuit_breaker import BreakerState
from tests.api.sample_gateway import client_of, state

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Upstream:
    """Counts how often it is asked."""

    def __init__(
        self,
        *,
        is_up: bool = True,
        seconds: float = 0.1,
        breaker: BreakerState = BreakerState.CLOSED,
        optional_breaker: BreakerState = BreakerState.CLOSED,
    ) -> None:
        self.asked = 0
        self.breaker = breaker
        self.optional_breaker = optional_breaker
        self.has_failed_recently = BreakerState.OPEN in {breaker, optional_breaker}
        self._is_up = is_up
        self._seconds = seconds

    async def ping(self) -> bool:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        return self._is_up


class Broken(Upstream):
    """Has a bug."""

    @override
    async def ping(self) -> bool:
        raise KeyError


def check(status: str, breaker: str = "closed", optional: str = "closed") -> list[dict[str, Any]]:
    time = "2026-01-31T12:00:00+00:00"
    breakers = {"breaker": breaker, "optionalBreaker": optional}
    return [{"status": status, "componentType": "system", "time": time, **breakers}]


async def test_all_upstreams_well_is_a_pass() -> None:
    readiness = Readiness({"user": Upstream(), "payment": Upstream()}, lambda: NOON)

    assert await readiness.report() == {
        "status": "pass",
        "checks": {"user": check("pass"), "payment": check("pass")},
    }


@pytest.mark.parametrize(
    "upstream",
    [Upstream(is_up=False), Upstream(seconds=60), Broken()],
    ids=["says so", "hangs", "raises"],
)
async def test_an_upstream_in_trouble_is_a_warning(upstream: Upstream) -> None:
    readiness = Readiness({"user": Upstream(), "payment": upstream}, lambda: NOON)

    assert await readiness.report() == {
        "status": "warn",
        "checks": {"user": check("pass"), "payment": check("fail")},
    }


async def test_an_upstream_that_calls_do_not_get_through_to_is_a_warning() -> None:
    upstreams = {
        "user": Upstream(breaker=BreakerState.OPEN),
        "social": Upstream(optional_breaker=BreakerState.OPEN),
    }

    assert await Readiness(upstreams, lambda: NOON).report() == {
        "status": "warn",
        "checks": {"user": check("warn", "open"), "social": check("warn", "closed", "open")},
    }


async def test_an_upstream_that_nobody_has_called_since_is_none() -> None:
    upstream = Upstream(breaker=BreakerState.HALF_OPEN)

    report = await Readiness({"user": upstream}, lambda: NOON).report()

    assert report == {"status": "pass", "checks": {"user": check("pass", "half-open")}}


async def test_an_upstream_that_does_not_answer_is_down_whatever_its_breaker() -> None:
    upstream = Upstream(is_up=False, breaker=BreakerState.OPEN)

    report = await Readiness({"user": upstream}, lambda: NOON).report()

    assert report == {"status": "warn", "checks": {"user": check("fail", "open")}}


async def test_a_ping_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await Readiness({"user": Broken()}).report()

    (record,) = caplog.records
    assert record.exc_info


async def test_upstreams_are_asked_all_at_once() -> None:
    clock = asyncio.get_running_loop().time
    start = clock()

    await Readiness({str(number): Upstream(seconds=0.5) for number in range(12)}).report()

    assert clock() - start == pytest.approx(0.5)


async def test_those_who_want_to_know_at_the_same_time_share_one_round() -> None:
    upstream = Upstream()
    readiness = Readiness({"user": upstream})

    await asyncio.gather(*(readiness.report() for _ in range(50)))

    assert upstream.asked == 1


async def test_upstreams_are_asked_once_a_second_at_the_most() -> None:
    upstream = Upstream(seconds=0)
    readiness = Readiness({"user": upstream})

    for _ in range(9):
        await readiness.report()
        await asyncio.sleep(0.25)

    assert upstream.asked == 3


async def test_who_asks_while_it_is_told_to_stop_hears_of_it() -> None:
    readiness = Readiness({"user": Upstream()})
    asking = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)
    readiness.stop()

    assert (await asking)["status"] == "fail"


async def test_one_who_leaves_while_waiting_leaves_the_others_an_answer() -> None:
    upstream = Upstream()
    readiness = Readiness({"user": upstream})
    leaver = asyncio.create_task(readiness.report())
    stayer = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)

    leaver.cancel()

    assert (await stayer)["status"] == "pass"


@pytest.fixture
def readiness() -> Readiness:
    return Readiness({"user": Upstream(is_up=False)})


@pytest.fixture
async def prober(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    app = Gateway(
        state(),
        readiness,
        title="probed",
        version="1.0",
        routes=(),
        pipelines=(),
        routers=(health.build_router(readiness),),
    )
    async with client_of(app) as client:
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
