"""GET /metrics of the sample gateway, with in-process mock services."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.cli.dev_stack import SAMPLE_ORDER
from tests.exposition import Metrics
from tests.integration.in_process import InProcessServices, run_gateway

KEY = {"Idempotency-Key": "order-1"}


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    async with run_gateway(services) as client:
        yield client


async def scrape(client: httpx.AsyncClient) -> Metrics:
    response = await client.get("/metrics")
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Metrics(response.text)


async def test_success_is_counted_with_its_calls(client: httpx.AsyncClient) -> None:
    assert (await client.post("/checkout", json=SAMPLE_ORDER)).status_code == 200

    metrics = await scrape(client)
    request = {"pipeline": "checkout", "method": "POST", "route": "/checkout", "status": "200"}
    assert metrics.sum("gateway_request_duration_seconds_count", **request) == 1
    assert metrics.sum("gateway_request_duration_seconds_bucket", **request, le="+Inf") == 1
    assert metrics.sum("gateway_responses_total", pipeline="checkout", code="ok") == 1
    assert metrics.sum("gateway_calls_total", outcome="done", code="ok", kind="read") == 7
    assert metrics.sum("gateway_call_duration_seconds_count", service="pricing") == 2
    assert metrics.sum("gateway_attempts_total") == 7
    assert metrics.sum("gateway_own_duration_seconds_count", pipeline="checkout") == 1


async def test_refusal_is_counted_by_its_code(client: httpx.AsyncClient) -> None:
    order = {**SAMPLE_ORDER, "user_id": "user-unknown"}
    assert (await client.post("/checkout", json=order)).status_code == 404

    metrics = await scrape(client)
    assert metrics.sum("gateway_responses_total", code="not-found") == 1
    assert metrics.sum("gateway_calls_total", service="user", outcome="refused", code="not-found") == 1


async def test_retries_of_failing_service_are_counted(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("user", ("/", "status"))
    assert (await client.post("/checkout", json=SAMPLE_ORDER)).status_code >= 500

    metrics = await scrape(client)
    assert metrics.sum("gateway_retries_total", service="user") >= 1
    assert metrics.sum("gateway_calls_total", service="user", outcome="failed") == 1


async def test_open_breaker_has_state_2(services: InProcessServices, client: httpx.AsyncClient) -> None:
    await services.set_faults("user", ("/", "status"))
    for _ in range(20):
        await client.post("/checkout", json=SAMPLE_ORDER)

    metrics = await scrape(client)
    assert metrics.sum("gateway_breaker_state", service="user", calls="required") == 2
    assert metrics.sum("gateway_breaker_opened_total", service="user", calls="required") >= 1
    assert metrics.sum("gateway_attempts_rejected_total", service="user", policy="circuit breaker") >= 1


async def test_degraded_response_has_code_of_its_own(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("social", ("/recommendations", "status"))
    assert (await client.get("/feed/user-123")).status_code == 200

    metrics = await scrape(client)
    assert metrics.find_labels("gateway_responses_total", "code") == {"degraded"}
    assert metrics.sum("gateway_request_duration_seconds_count", route="/feed/{user_id}") == 1


async def test_committed_execution_and_replay_are_counted(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await client.post("/orders", json=SAMPLE_ORDER, headers=KEY)).status_code == 201

    metrics = await scrape(client)
    assert metrics.sum("gateway_executions_total", pipeline="orders", state="committed") == 1
    assert metrics.sum("gateway_replayed_responses_total", pipeline="orders") == 1
    assert metrics.sum("gateway_executions_running") == 0
    assert metrics.sum("gateway_executions_stuck") == 0
    assert metrics.sum("gateway_journal_unavailable") == 0
    assert metrics.sum("gateway_journal_size_bytes") > 0
    assert metrics.sum("gateway_journal_duration_seconds_count", access="read") >= 1
    assert metrics.sum("gateway_journal_duration_seconds_count", access="write") >= 2


async def test_undo_is_counted_for_the_service_of_its_write(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("inventory", ("/reservations", "drop_after_write"), method="POST")

    assert (await client.post("/orders", json=SAMPLE_ORDER)).status_code == 202
    await asyncio.sleep(20)  # beyond the budget of the commit

    metrics = await scrape(client)
    assert metrics.sum("gateway_executions_total", pipeline="orders", state="undone") == 1
    assert metrics.sum("gateway_calls_total", kind="undo", outcome="done", service="inventory") == 1


async def test_requests_over_rate_limit_are_counted(services: InProcessServices) -> None:
    async with run_gateway(services, rate_limit_per_minute=1) as client:
        for _ in range(3):
            await client.post("/checkout", json=SAMPLE_ORDER)
        metrics = await scrape(client)

    assert metrics.sum("gateway_requests_refused_total", limit="rate") == 2
    assert metrics.sum("gateway_responses_total", code="rate-limited") == 2
    assert metrics.sum("gateway_requests_in_flight_limit") == 256


async def test_openmetrics_is_sent_on_request(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})

    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("# EOF\n")


async def test_metrics_have_name_and_version(client: httpx.AsyncClient) -> None:
    metrics = await scrape(client)

    assert metrics.find_labels("gateway_info", "name") == {"fanout-gateway"}
    assert metrics.sum("process_resident_memory_bytes") > 0


async def test_metrics_can_be_turned_off(services: InProcessServices) -> None:
    async with run_gateway(services, metrics=False) as client:
        await client.post("/checkout", json=SAMPLE_ORDER)
        response = await client.get("/metrics")

    assert (response.status_code, response.json()["code"]) == (404, "route-not-found")
