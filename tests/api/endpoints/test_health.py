"""Readiness and liveness."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from typing_extensions import override

from gateway.api.application import Gateway
from gateway.api.endpoints import health
from gateway.api.endpoints.readiness import JOURNAL, Readiness
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.guards import BreakerStates
from tests.api.sample_gateway import build_state, create_client

CLOSED = BreakerState.CLOSED
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class FakeUpstream:
    """Upstream that counts its pings."""

    def __init__(
        self,
        *,
        is_up: bool = True,
        seconds: float = 0.1,
        breaker: BreakerState = CLOSED,
        optional_breaker: BreakerState = CLOSED,
    ) -> None:
        self.pings = 0
        self.breakers = BreakerStates(CLOSED, {"users.fetch": breaker})
        self.optional_breakers = BreakerStates(optional_breaker, {})
        self.has_failed_recently = BreakerState.OPEN in {breaker, optional_breaker}
        self._is_up = is_up
        self._seconds = seconds

    async def ping(self) -> bool:
        self.pings += 1
        await asyncio.sleep(self._seconds)
        return self._is_up


class RaisingUpstream(FakeUpstream):
    """Upstream that raises when it is pinged."""

    @override
    async def ping(self) -> bool:
        raise KeyError


def build_check(status: str, breaker: str = "closed", optional: str = "closed") -> list[dict[str, Any]]:
    time = "2026-01-31T12:00:00+00:00"
    worst = {"breaker": breaker, "optionalBreaker": optional}
    breakers: dict[str, Any] = {
        "breakers": {"host": "closed", "operations": {"users.fetch": breaker}},
        "optionalBreakers": {"host": optional, "operations": {}},
    }
    return [{"status": status, "componentType": "system", "time": time, **worst, **breakers}]


async def test_healthy_upstreams_pass() -> None:
    readiness = Readiness({"user": FakeUpstream(), "payment": FakeUpstream()}, lambda: NOON)

    assert await readiness.report() == {
        "status": "pass",
        "checks": {"user": build_check("pass"), "payment": build_check("pass")},
    }


@pytest.mark.parametrize(
    "upstream",
    [FakeUpstream(is_up=False), FakeUpstream(seconds=60), RaisingUpstream()],
    ids=["fails", "hangs", "raises"],
)
async def test_failing_upstream_is_a_warning(upstream: FakeUpstream) -> None:
    readiness = Readiness({"user": FakeUpstream(), "payment": upstream}, lambda: NOON)

    assert await readiness.report() == {
        "status": "warn",
        "checks": {"user": build_check("pass"), "payment": build_check("fail")},
    }


async def test_open_breaker_is_a_warning() -> None:
    upstreams = {
        "user": FakeUpstream(breaker=BreakerState.OPEN),
        "social": FakeUpstream(optional_breaker=BreakerState.OPEN),
    }

    assert await Readiness(upstreams, lambda: NOON).report() == {
        "status": "warn",
        "checks": {"user": build_check("warn", "open"), "social": build_check("warn", "closed", "open")},
    }


async def test_half_open_breaker_passes() -> None:
    upstream = FakeUpstream(breaker=BreakerState.HALF_OPEN)

    report = await Readiness({"user": upstream}, lambda: NOON).report()

    assert report == {"status": "pass", "checks": {"user": build_check("pass", "half-open")}}


async def test_failed_ping_outweighs_breaker_state() -> None:
    upstream = FakeUpstream(is_up=False, breaker=BreakerState.OPEN)

    report = await Readiness({"user": upstream}, lambda: NOON).report()

    assert report == {"status": "warn", "checks": {"user": build_check("fail", "open")}}


async def test_raising_ping_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await Readiness({"user": RaisingUpstream()}).report()

    (record,) = caplog.records
    assert record.exc_info


async def test_upstreams_are_pinged_in_parallel() -> None:
    clock = asyncio.get_running_loop().time
    start = clock()

    await Readiness({str(number): FakeUpstream(seconds=0.5) for number in range(12)}).report()

    assert clock() - start == pytest.approx(0.5)


async def test_concurrent_reports_share_one_ping() -> None:
    upstream = FakeUpstream()
    readiness = Readiness({"user": upstream})

    await asyncio.gather(*(readiness.report() for _ in range(50)))

    assert upstream.pings == 1


async def test_upstreams_are_pinged_once_a_second() -> None:
    upstream = FakeUpstream(seconds=0)
    readiness = Readiness({"user": upstream})

    for _ in range(9):
        await readiness.report()
        await asyncio.sleep(0.25)

    assert upstream.pings == 3


async def test_pending_report_sees_shutdown() -> None:
    readiness = Readiness({"user": FakeUpstream()})
    pending = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)
    readiness.stop()

    assert (await pending)["status"] == "fail"


async def test_cancelled_report_does_not_affect_others() -> None:
    upstream = FakeUpstream()
    readiness = Readiness({"user": upstream})
    cancelled = asyncio.create_task(readiness.report())
    other = asyncio.create_task(readiness.report())
    await asyncio.sleep(0.05)

    cancelled.cancel()

    assert (await other)["status"] == "pass"


@pytest.fixture
def readiness() -> Readiness:
    return Readiness({"user": FakeUpstream(is_up=False)})


@pytest.fixture
async def client(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    app = Gateway(
        build_state(),
        readiness,
        title="probed",
        version="1.0",
        routes=(),
        pipelines=(),
        routers=(health.build_router(readiness),),
    )
    async with create_client(app) as client:
        yield client


async def test_ready_is_200_with_failed_upstream(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/health+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["status"] == "warn"


async def test_ready_is_503_during_shutdown(readiness: Readiness, client: httpx.AsyncClient) -> None:
    readiness.stop()

    response = await client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["status"] == "fail"


async def test_live_is_200_during_shutdown(readiness: Readiness, client: httpx.AsyncClient) -> None:
    readiness.stop()

    response = await client.get("/health/live")

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/health+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {"status": "pass"}


FULL = (
    "requests that write are refused until executions are a day old: the journal is full "
    "(GATEWAY_JOURNAL_MAX_MB)"
)
LIST = "; see: gateway executions list --state stuck"


@pytest.fixture
def journal() -> JournalHealth:
    return JournalHealth(StorageLimit(1000))


async def test_healthy_journal_passes(journal: JournalHealth) -> None:
    report = await Readiness({"user": FakeUpstream()}, lambda: NOON, journal).report()

    check = {"status": "pass", "componentType": "datastore", "time": "2026-01-31T12:00:00+00:00"}
    assert report == {"status": "pass", "checks": {"user": build_check("pass"), "journal": [check]}}


async def test_gateway_without_writes_has_no_journal() -> None:
    assert JOURNAL not in (await Readiness({"user": FakeUpstream()}).report()).get("checks", {})


@pytest.mark.parametrize(
    ("trouble", "total", "stuck", "output"),
    [
        ("the database is down", 0, 0, "requests that write are refused: the database is down"),
        (None, 1000, 0, FULL),
        (None, 0, 2, f"2 stuck executions{LIST}"),
        ("no disk", 0, 1, f"requests that write are refused: no disk; 1 stuck execution{LIST}"),
    ],
)
async def test_journal_in_trouble_is_a_warning(
    journal: JournalHealth, trouble: str | None, total: int, stuck: int, output: str
) -> None:
    """Reads go on, so the gateway stays in service."""
    journal.trouble, journal.stuck = trouble, stuck
    journal.limit.update(total, {})

    report = await Readiness({}, lambda: NOON, journal).report()

    (check,) = report.get("checks", {})[JOURNAL]
    assert (report["status"], check["status"], check.get("output")) == ("warn", "warn", output)
