"""Responses of the sample's pipelines that write, with in-process mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest
from typing_extensions import override

from gateway.app import create_app
from gateway.services import SERVICES
from gateway.settings import load_settings
from tests.api.openapi_document import check_instance, list_examples, list_media_types, list_operations
from tests.integration.in_process import InProcessServices

TOKEN: Final = {"Authorization": "Bearer token-user-123"}
BODIES: Final[Mapping[str, Mapping[str, object]]] = {
    "/orders": {
        "user_id": "user-123",
        "product_id": "prod-456",
        "payment_id": "pm-789",
        "address": "123 Main St",
    },
    "/transfers": {
        "from_account": "acc-001",
        "to_account": "acc-002",
        "amount": "25.00",
        "currency": "USD",
    },
    "/purchases": {"user_id": "user-123", "product_id": "prod-456", "quantity": 1},
}
LONG_DEADLINE: Final = {"deadline_ms": 90_000}


class RecordingServices(InProcessServices):
    """Mock services that log the method of each request, and the closing of the transport."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.log.append(request.method)
        return await super().handle_async_request(request)

    @override
    async def aclose(self) -> None:
        self.log.append("closed")


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(services) as client:
        yield client


@pytest.fixture
def document() -> dict[str, Any]:
    return create_app(transport=InProcessServices()).openapi()


def create_client(services: InProcessServices, **settings: object) -> httpx.AsyncClient:
    app = create_app(load_settings(SERVICES, **settings), transport=services)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost", headers=TOKEN)


def get_time() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("path", BODIES)
async def test_repeated_key_replays_first_response(client: httpx.AsyncClient, path: str) -> None:
    key = {"Idempotency-Key": "the-first"}
    first, replayed = [await client.post(path, json=BODIES[path], headers=key) for _ in range(2)]

    execution = (await client.get(first.headers["location"])).json()
    assert (first.status_code, replayed.content) == (201, first.content)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert (execution["pipeline"], execution["state"]) == (path.removeprefix("/"), "committed")
    assert {write["outcome"] for write in execution["writes"]} == {"done"}


async def test_commit_is_refused_if_too_little_time_is_left(services: InProcessServices) -> None:
    async with create_client(services, deadline_ms=1000, commit_reserve_ms=950) as client:
        response = await client.post("/orders", json=BODIES["/orders"])

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "POST /reservations" not in await services.fetch_calls("inventory")


@pytest.mark.parametrize("budget", [3000, 6000])
async def test_commit_budget_limits_write_retries(services: InProcessServices, budget: int) -> None:
    await services.set_faults("inventory", ("/reservations", "hang"))
    async with create_client(services, **LONG_DEADLINE, commit_budget_ms=budget, undo_budget_ms=1) as client:
        response = await client.post("/orders", json=BODIES["/orders"])

    assert (response.status_code, response.json()["code"]) == (500, "stuck")
    assert budget / 1000 - 1.1 <= get_time() <= budget / 1000 + 0.2


@pytest.mark.parametrize("budget", [2000, 9000])
async def test_undo_budget_limits_undo_retries(services: InProcessServices, budget: int) -> None:
    await services.set_faults("inventory", ("/reservations", "hang"))
    async with create_client(services, **LONG_DEADLINE, commit_budget_ms=1, undo_budget_ms=budget) as client:
        response = await client.post("/orders", json=BODIES["/orders"])

    assert (response.status_code, response.json()["code"]) == (500, "stuck")
    assert budget / 1000 - 1.1 <= get_time() <= budget / 1000 + 0.2


async def test_operator_retry_requires_configured_token(services: InProcessServices) -> None:
    await services.set_faults("inventory", ("/reservations", "hang"))
    settings = {**LONG_DEADLINE, "commit_budget_ms": 1, "undo_budget_ms": 1, "operator_token": "secret"}
    async with create_client(services, **settings) as client:
        stuck = (await client.post("/orders", json=BODIES["/orders"])).json()["execution_id"]
        await services.set_faults("inventory")
        refused = await client.post(f"/executions/{stuck}/retry")
        retried = await client.post(f"/executions/{stuck}/retry", headers={"Authorization": "Bearer secret"})

    assert (refused.status_code, retried.status_code) == (401, 200)
    assert retried.json()["state"] == "undone"


async def test_local_client_is_operator_if_no_token_is_set(client: httpx.AsyncClient) -> None:
    assert (await client.get("/executions")).status_code == 200


async def test_commits_end_before_transport_closes() -> None:
    services = RecordingServices()
    app = create_app(load_settings(SERVICES, commit_budget_ms=3000, undo_budget_ms=2000), transport=services)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        await services.set_faults("inventory", ("/reservations", "hang"))
        body, headers = BODIES["/orders"], {"X-Request-Timeout-Ms": "800"}
        response = await client.post("http://gateway/orders", json=body, headers=headers)

    assert (response.status_code, get_time() > 4) == (202, True)
    assert "DELETE" in services.log
    assert services.log.index("closed") == len(services.log) - 1


def test_only_writing_pipelines_document_202(document: dict[str, Any]) -> None:
    running = {name for name, operation in list_operations(document) if "202" in operation["responses"]}

    assert running == {f"post {path}" for path in BODIES}


def test_only_purchases_and_operators_need_tokens(document: dict[str, Any]) -> None:
    protected = {name for name, operation in list_operations(document) if operation["security"]}

    assert protected == {"post /purchases", "get /executions", "post /executions/{execution_id}/retry"}


def test_openapi_examples_of_sample_are_valid(document: dict[str, Any]) -> None:
    for name, content in list_media_types(document):
        examples = [*list_examples(document, content)]
        assert examples, name
        for example in examples:
            check_instance(document, content["schema"], example)
