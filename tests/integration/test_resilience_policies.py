"""What the gateway does when a service is in trouble, in one process with the mock services."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.resilience.terms import BreakerTerms
from gateway.settings import Settings
from tests.integration.in_process import InProcess, gateway

CHECKOUT: Final = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
PAGE: Final = " ".join((Path(__file__).parents[2] / "docs" / "under-load.md").read_text().split())
SETTINGS: Final = Settings()
BREAKER: Final = BreakerTerms()
PURCHASE: Final = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
TRANSFER: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "1.00", "currency": "USD"}


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()


@pytest.fixture
async def services() -> InProcess:
    services = InProcess()
    await services.break_down("user", ("/users", "hang"))
    return services


async def check_out(
    client: httpx.AsyncClient, times: int, headers: dict[str, str] | None = None
) -> Sequence[httpx.Response]:
    """Check out so many times at once."""
    return await asyncio.gather(
        *(client.post("/checkout", json=CHECKOUT, headers=headers) for _ in range(times))
    )


async def seconds_of_a_transfer(client: httpx.AsyncClient) -> float:
    began = now()
    answer = await client.post("/transfers", json=TRANSFER)
    assert answer.status_code == 201
    return now() - began


async def breaker_of(client: httpx.AsyncClient, service: str) -> tuple[str, str]:
    """Give what readiness says of *service*, and of its breaker."""
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    (check,) = answer.json()["checks"][service]
    return check["status"], check["breaker"]


async def test_requests_beyond_what_a_service_can_be_asked_are_refused_at_once(
    services: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_USER_MAX_CONCURRENCY", "2")
    async with gateway(services) as client:
        waiting = asyncio.create_task(check_out(client, 4))
        await asyncio.sleep(0.01)
        began = now()
        (answer,) = await check_out(client, 1)
        took = now() - began
        others = await waiting

    assert (answer.status_code, answer.json()["source"]) == (503, "users.fetch")
    assert answer.headers["retry-after"] == "1"
    assert took == pytest.approx(0.05)  # until the other two calls of its stage have ended
    assert sorted(other.status_code for other in others) == [503, 503, 504, 504]


async def test_a_pipeline_that_does_without_a_service_does_not_notice_that_it_hangs() -> None:
    services = InProcess()
    async with gateway(services) as client:
        alone = await seconds_of_a_transfer(client)
        await services.break_down("user", ("/users", "hang"))
        hanging = asyncio.create_task(check_out(client, 500))
        await asyncio.sleep(0.2)
        beside = await seconds_of_a_transfer(client)
        answers = await hanging

    assert beside == pytest.approx(alone)
    assert {answer.status_code for answer in answers} == {503, 504}


async def test_a_service_that_hangs_is_left_alone_and_readiness_warns_of_it(services: InProcess) -> None:
    async with gateway(services) as client:
        before = await breaker_of(client, "user")
        await check_out(client, 20)
        began = now()
        (answer,) = await check_out(client, 1)
        took = now() - began
        after = await breaker_of(client, "user")

    assert (before, after) == (("pass", "closed"), ("warn", "open"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert took == pytest.approx(0.05)


async def test_impatient_callers_do_not_have_a_service_left_alone(services: InProcess) -> None:
    async with gateway(services) as client:
        answers = await check_out(client, 100, {"X-Request-Timeout-Ms": "900"})
        await services.break_down("user")
        (answer,) = await check_out(client, 1)

        assert await breaker_of(client, "user") == ("pass", "closed")

    assert {impatient.status_code for impatient in answers} == {504}
    assert answer.status_code == 200


async def test_what_can_be_done_without_is_left_alone_if_it_hangs() -> None:
    services = InProcess()
    await services.break_down("notification", ("/notifications", "hang"))
    async with gateway(services) as client:

        async def purchase() -> tuple[float, httpx.Response]:
            began = now()
            answer = await client.post("/purchases", json=PURCHASE, headers=TOKEN)
            return now() - began, answer

        await asyncio.gather(*(purchase() for _ in range(20)))
        status, breaker = await breaker_of(client, "notification")
        (check,) = (await client.get("/health/ready")).json()["checks"]["notification"]
        times, answers = zip(*(await asyncio.gather(*(purchase() for _ in range(20)))), strict=True)

    assert (status, breaker, check["optionalBreaker"]) == ("warn", "closed", "open")
    assert {answer.status_code for answer in answers} == {201}
    assert {*answers[0].json()["degraded"]} == {"notification"}
    assert sum(seconds > 0.2 for seconds in times) == 3  # probes


@pytest.mark.parametrize("kind", ["hang", "drop", "garbage"])
async def test_trouble_with_what_can_be_done_without_does_not_cost_the_answer(kind: str) -> None:
    services = InProcess()
    extras = [(path, kind) for path in ("/notifications", "/engagement", "/recommendations")]
    await services.break_down("social", *extras)
    async with gateway(services) as client:
        answers = [await client.get("/feed/user-123") for _ in range(60)]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].json()["degraded"] == ["notifications", "engagement", "recommended"]
    assert answers[-1].json()["posts"]


async def test_a_call_that_fails_in_passing_is_not_noticed(services: InProcess) -> None:
    await services.break_down("user", ("/users", "drop"), times=2)
    async with gateway(services) as client:
        (answer,) = await check_out(client, 1)
        calls = await services.calls_of("user")

    assert answer.status_code == 200
    assert len(calls) == 3


@pytest.mark.parametrize(
    "said",
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
def test_the_page_for_operators_has_the_numbers_of_the_code(said: str) -> None:
    assert said in PAGE
    assert BREAKER.failure_rate == 0.5
