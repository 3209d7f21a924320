"""The requests that write, as they are wired, in one process with the mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx
import pytest
from typing_extensions import override

from gateway.app import create_app
from gateway.services import SERVICES
from gateway.settings import load_settings
from tests.api.openapi_document import check, examples, media, operations
from tests.integration.in_process import InProcess

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
PATIENT: Final = {"deadline_ms": 90_000}


class Noted(InProcess):
    """Notes what it is asked, and when it is closed."""

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
def services() -> InProcess:
    return InProcess()


@pytest.fixture
async def client(services: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(services) as client:
        yield client


@pytest.fixture
def document() -> dict[str, Any]:
    return create_app(transport=InProcess()).openapi()


def client_of(services: InProcess, **settings: object) -> httpx.AsyncClient:
    app = create_app(load_settings(SERVICES, **settings), transport=services)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway", headers=TOKEN)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("path", BODIES)
async def test_a_write_is_made_once_for_its_key_and_can_be_looked_up(
    client: httpx.AsyncClient, path: str
) -> None:
    key = {"Idempotency-Key": "the-first"}
    first, again = [await client.post(path, json=BODIES[path], headers=key) for _ in range(2)]

    found = (await client.get(first.headers["location"])).json()
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert (found["pipeline"], found["state"]) == (path.removeprefix("/"), "committed")
    assert {write["outcome"] for write in found["writes"]} == {"done"}


async def test_a_commit_begins_only_with_so_much_of_the_deadline_left(services: InProcess) -> None:
    async with client_of(services, deadline_ms=1000, commit_reserve_ms=950) as client:
        answer = await client.post("/orders", json=BODIES["/orders"])

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "POST /reservations" not in await services.calls_of("inventory")


@pytest.mark.parametrize("budget", [3000, 6000])
async def test_a_write_that_gets_no_answer_is_repeated_for_so_long(services: InProcess, budget: int) -> None:
    await services.break_down("inventory", ("/reservations", "hang"))
    async with client_of(services, **PATIENT, commit_budget_ms=budget, undo_budget_ms=1) as client:
        answer = await client.post("/orders", json=BODIES["/orders"])

    assert (answer.status_code, answer.json()["code"]) == (500, "stuck")
    assert budget / 1000 - 1.1 <= now() <= budget / 1000 + 0.2


@pytest.mark.parametrize("budget", [2000, 9000])
async def test_what_must_be_undone_is_tried_for_so_long(services: InProcess, budget: int) -> None:
    await services.break_down("inventory", ("/reservations", "hang"))
    async with client_of(services, **PATIENT, commit_budget_ms=1, undo_budget_ms=budget) as client:
        answer = await client.post("/orders", json=BODIES["/orders"])

    assert (answer.status_code, answer.json()["code"]) == (500, "stuck")
    assert budget / 1000 - 1.1 <= now() <= budget / 1000 + 0.2


async def test_what_is_stuck_can_be_undone_by_who_has_the_token(services: InProcess) -> None:
    await services.break_down("inventory", ("/reservations", "hang"))
    settings = {**PATIENT, "commit_budget_ms": 1, "undo_budget_ms": 1, "operator_token": "secret"}
    async with client_of(services, **settings) as client:
        stuck = (await client.post("/orders", json=BODIES["/orders"])).json()["execution_id"]
        await services.break_down("inventory")
        refused = await client.post(f"/executions/{stuck}/retry")
        retried = await client.post(f"/executions/{stuck}/retry", headers={"Authorization": "Bearer secret"})

    assert (refused.status_code, retried.status_code) == (401, 200)
    assert retried.json()["state"] == "undone"


async def test_without_a_token_operators_are_on_this_machine(client: httpx.AsyncClient) -> None:
    assert (await client.get("/executions")).status_code == 200


async def test_commits_are_over_before_the_transport_is_closed() -> None:
    services = Noted()
    app = create_app(load_settings(SERVICES, commit_budget_ms=3000, undo_budget_ms=2000), transport=services)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport) as client:
        await services.break_down("inventory", ("/reservations", "hang"))
        body, patience = BODIES["/orders"], {"X-Request-Timeout-Ms": "800"}
        answer = await client.post("http://gateway/orders", json=body, headers=patience)

    assert (answer.status_code, now() > 4) == (202, True)
    assert "DELETE" in services.log
    assert services.log.index("closed") == len(services.log) - 1


def test_only_what_writes_may_answer_that_it_is_still_running(document: dict[str, Any]) -> None:
    running = {name for name, said in operations(document) if "202" in said["responses"]}

    assert running == {f"post {path}" for path in BODIES}


def test_only_purchases_and_operators_show_a_token(document: dict[str, Any]) -> None:
    wants = {name for name, said in operations(document) if "security" in said}

    assert wants == {"post /purchases", "get /executions", "post /executions/{execution_id}/retry"}


def test_every_example_is_valid(document: dict[str, Any]) -> None:
    for name, content in media(document):
        found = [*examples(document, content)]
        assert found, name
        for example in found:
            check(document, content["schema"], example)
