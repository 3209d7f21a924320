"""Resilience policies of the sample gateway, with in-process mock services that fail or hang."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.resilience.terms import BreakerTerms
from gateway.settings import Settings
from tests.integration.in_process import InProcessServices, Json, run_gateway

CHECKOUT: Final = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
PAGE: Final = " ".join((Path(__file__).parents[2] / "docs" / "resilience.md").read_text().split())
SETTINGS: Final = Settings()
BREAKER: Final = BreakerTerms()
PURCHASE: Final = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
TRANSFER: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "1.00", "currency": "USD"}


def get_time() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


@pytest.fixture
async def services() -> InProcessServices:
    services = InProcessServices()
    await services.set_faults("user", ("/users", "hang"))
    return services


async def check_out(
    client: httpx.AsyncClient, times: int, headers: dict[str, str] | None = None
) -> Sequence[httpx.Response]:
    """Send *times* checkouts at once and return their responses."""
    return await asyncio.gather(
        *(client.post("/checkout", json=CHECKOUT, headers=headers) for _ in range(times))
    )


async def time_transfer(client: httpx.AsyncClient) -> float:
    began = get_time()
    response = await client.post("/transfers", json=TRANSFER)
    assert response.status_code == 201
    return get_time() - began


async def fetch_health(client: httpx.AsyncClient, service: str) -> tuple[str, str]:
    """Return the status of *service* and the state of its circuit breaker, from the readiness report."""
    response = await client.get("/health/ready")
    assert response.status_code == 200
    (check,) = response.json()["checks"][service]
    return check["status"], check["breaker"]


async def test_concurrency_limit_rejects_surplus_calls(
    services: InProcessServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_USER_MAX_CONCURRENCY", "2")
    async with run_gateway(services) as client:
        waiting = asyncio.create_task(check_out(client, 4))
        await asyncio.sleep(0.01)
        began = get_time()
        (response,) = await check_out(client, 1)
        took = get_time() - began
        others = await waiting

    assert (response.status_code, response.json()["source"]) == (503, "users.fetch")
    assert response.headers["retry-after"] == "1"
    assert took == pytest.approx(0.05)  # the stage settles: its other two calls end first
    assert sorted(other.status_code for other in others) == [503, 503, 504, 504]


@pytest.mark.parametrize("kind", ["status", "hang", "drop", "garbage", "truncate"])
async def test_failing_operation_leaves_others_of_its_service_alone(kind: str) -> None:
    services = InProcessServices()
    await services.set_faults("user", ("/users/user-123/settings", kind))
    async with run_gateway(services) as client:
        feeds = await asyncio.gather(*(client.get("/feed/user-123") for _ in range(50)))
        (check,) = (await client.get("/health/ready")).json()["checks"]["user"]
        checkouts = await check_out(client, 50)

    assert {feed.is_server_error for feed in feeds} == {True}
    assert check["breakers"]["host"] == "closed"
    assert check["breakers"]["operations"] == {"users.fetch": "closed", "users.settings": "open"}
    assert {checkout.status_code for checkout in checkouts} == {200}


@pytest.mark.parametrize("status", [None, 500, 502])
async def test_failing_write_leaves_reads_of_its_service_alone(status: int | None) -> None:
    services = InProcessServices()
    kind: Mapping[str, Json] = {} if status is None else {"status": status}
    fault = ("/reservations", "status" if kind else "garbage")
    await services.set_faults("inventory", fault, method="POST", **kind)
    async with run_gateway(services) as client:
        orders = await asyncio.gather(*(client.post("/orders", json=CHECKOUT) for _ in range(40)))
        checkouts = await check_out(client, 50)

    assert {order.status_code for order in orders} <= {202, 502, 503}
    assert {checkout.status_code for checkout in checkouts} == {200}


async def test_account_of_unknown_status_leaves_other_accounts_alone() -> None:
    services = InProcessServices()
    dormant = {"account_id": "acc-002", "owner": "user-456", "balance": "9.00", "currency": "USD"}
    services.set_response("account", "/accounts/acc-002", {**dormant, "status": "dormant"})
    transfer = {"from_account": "acc-002", "to_account": "acc-001", "amount": "1.00", "currency": "USD"}
    async with run_gateway(services) as client:
        refused = [await client.post("/transfers", json=transfer) for _ in range(26)]
        other = await client.post(
            "/transfers", json={**transfer, "from_account": "acc-001", "to_account": "acc-002"}
        )

    assert {response.status_code for response in refused} == {409}
    assert other.status_code == 201


async def test_hanging_service_does_not_slow_other_pipelines() -> None:
    services = InProcessServices()
    async with run_gateway(services) as client:
        undisturbed = await time_transfer(client)
        await services.set_faults("user", ("/users", "hang"))
        hanging = asyncio.create_task(check_out(client, 500))
        await asyncio.sleep(0.2)
        disturbed = await time_transfer(client)
        responses = await hanging

    assert disturbed == pytest.approx(undisturbed)
    assert {response.status_code for response in responses} == {503, 504}


async def test_hanging_service_opens_breaker(services: InProcessServices) -> None:
    async with run_gateway(services) as client:
        before = await fetch_health(client, "user")
        await check_out(client, 20)
        began = get_time()
        (response,) = await check_out(client, 1)
        took = get_time() - began
        after = await fetch_health(client, "user")

    assert (before, after) == (("pass", "closed"), ("warn", "open"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert took == pytest.approx(0.05)


async def test_short_client_timeouts_keep_breaker_closed(services: InProcessServices) -> None:
    async with run_gateway(services) as client:
        responses = await check_out(client, 100, {"X-Request-Timeout-Ms": "900"})
        await services.set_faults("user")
        (response,) = await check_out(client, 1)

        assert await fetch_health(client, "user") == ("pass", "closed")

    assert {impatient.status_code for impatient in responses} == {504}
    assert response.status_code == 200


async def test_hanging_optional_calls_open_only_their_own_breaker() -> None:
    services = InProcessServices()
    await services.set_faults("notification", ("/notifications", "hang"))
    async with run_gateway(services) as client:

        async def purchase() -> tuple[float, httpx.Response]:
            began = get_time()
            response = await client.post("/purchases", json=PURCHASE, headers=TOKEN)
            return get_time() - began, response

        await asyncio.gather(*(purchase() for _ in range(20)))
        status, breaker = await fetch_health(client, "notification")
        (check,) = (await client.get("/health/ready")).json()["checks"]["notification"]
        times, responses = zip(*(await asyncio.gather(*(purchase() for _ in range(20)))), strict=True)

    assert (status, breaker, check["optionalBreaker"]) == ("warn", "closed", "open")
    assert {response.status_code for response in responses} == {201}
    assert {*responses[0].json()["degraded"]} == {"notification"}
    assert sum(seconds > 0.2 for seconds in times) == 3  # probes


@pytest.mark.parametrize("kind", ["hang", "drop", "garbage"])
async def test_failing_optional_calls_degrade_response(kind: str) -> None:
    services = InProcessServices()
    extras = [(path, kind) for path in ("/notifications", "/engagement", "/recommendations")]
    await services.set_faults("social", *extras)
    async with run_gateway(services) as client:
        responses = [await client.get("/feed/user-123") for _ in range(60)]

    assert {response.status_code for response in responses} == {200}
    assert responses[-1].json()["degraded"] == ["notifications", "engagement", "recommended"]
    assert responses[-1].json()["posts"]


async def test_transient_failures_are_retried(services: InProcessServices) -> None:
    await services.set_faults("user", ("/users", "drop"), times=2)
    async with run_gateway(services) as client:
        (response,) = await check_out(client, 1)
        calls = await services.fetch_calls("user")

    assert response.status_code == 200
    assert len(calls) == 3


@pytest.mark.parametrize(
    "text",
    [
        f"has {SETTINGS.deadline_ms} ms in all (`GATEWAY_DEADLINE_MS`)",
        f"has {SETTINGS.call_timeout_ms} ms (`GATEWAY_CALL_TIMEOUT_MS`",
        f"has {SETTINGS.optional_timeout_ms} ms in all (`GATEWAY_OPTIONAL_TIMEOUT_MS`)",
        f"{SETTINGS.max_concurrency} at the same time (`GATEWAY_MAX_CONCURRENCY`",
        f"half of the last {BREAKER.volume} attempts have failed; only the last {BREAKER.window:g} s count",
        f"at least {BREAKER.minimum} attempts are needed",
        f"{BREAKER.pause:g} s have passed",
        f"twice as long after each failed probe, up to {BREAKER.max_pause:g} s",
        f"**Requests to the gateway:** {SETTINGS.max_in_flight} requests",
        f"{BREAKER.probes} probes are made",
    ],
)
def test_resilience_page_has_default_values(text: str) -> None:
    assert text in PAGE
    assert BREAKER.failure_rate == 0.5
