"""Commits of the sample that end with their process, and what another process makes of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.executions.scripted_database import ScriptedDatabase
from tests.integration.in_process import InProcessServices, Json
from tests.integration.killed_process import Process, run_process

PURCHASE: Final[Mapping[str, Json]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
TRANSFER: Final[Mapping[str, Json]] = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
}
KEY: Final = {"Idempotency-Key": "the-key"}


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def database() -> ScriptedDatabase:
    return ScriptedDatabase()


@pytest.fixture
async def process(services: InProcessServices, database: ScriptedDatabase) -> AsyncIterator[Process]:
    async with run_process(services, database) as process:
        yield process


@pytest.fixture
async def killed(services: InProcessServices, database: ScriptedDatabase) -> AsyncIterator[Process]:
    """The process that the test kills."""
    async with run_process(services, database) as process:
        yield process


async def kill_during(
    process: Process, path: str, body: Mapping[str, Json], seconds: float, headers: Mapping[str, str] = KEY
) -> None:
    """Send a request to *process*, and kill it after *seconds*."""
    request = asyncio.create_task(process.client.post(path, json=body, headers=headers))
    await asyncio.sleep(seconds)
    process.kill()
    assert not request.done()


async def list_statuses(services: InProcessServices, service: str, kind: str) -> Sequence[str]:
    items: Sequence[Any] = (await services.fetch_state(service))[kind]
    return sorted(item["status"] for item in items)


async def post(process: Process, path: str, body: Mapping[str, Json]) -> httpx.Response:
    return await process.client.post(path, json=body, headers=KEY)


async def test_purchase_killed_after_seal_is_degraded_ever_after(
    services: InProcessServices, killed: Process, process: Process
) -> None:
    """The order stands, and may have been announced or not."""
    await services.set_faults("notification", ("/notifications", "hang"))
    await services.set_faults("analytics", ("/events", "hang"))
    await kill_during(killed, "/purchases", PURCHASE, 0.5)
    await services.set_faults("notification")
    await process.recover()

    replays = [await post(process, "/purchases", PURCHASE) for _ in range(2)]

    body = replays[0].json()
    assert [replay.status_code for replay in replays] == [201, 201]
    assert replays[0].content == replays[1].content
    assert (body["notification"], body["analytics"]) == (None, None)
    assert body["degraded"] == ["notification", "analytics"]
    assert replays[0].headers["gateway-completed"] == "false"
    assert replays[0].headers["idempotent-replayed"] == "true"
    assert await list_statuses(services, "order", "orders") == ["created"]
    assert body["order"]["order_id"] == (await services.fetch_state("order"))["orders"][0]["order_id"]
    execution = await process.client.get(replays[0].headers["location"])
    assert execution.json()["state"] == "committed"


async def test_purchase_killed_in_commit_is_made_again(
    services: InProcessServices, killed: Process, process: Process
) -> None:
    await services.set_latencies("order", "/orders", 1500)
    await kill_during(killed, "/purchases", PURCHASE, 0.5)
    await process.recover()
    assert await list_statuses(services, "order", "orders") in ([], ["cancelled"])

    again = await post(process, "/purchases", PURCHASE)

    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers
    assert again.json()["degraded"] == []
    statuses = await list_statuses(services, "order", "orders")
    assert statuses.count("created") == 1
    assert len((await services.fetch_state("notification"))["notifications"]) == 1


@pytest.mark.parametrize("seconds", [0.095, 0.11, 0.135, 0.15, 0.168])
async def test_killed_transfer_moves_money_once(
    services: InProcessServices, killed: Process, process: Process, seconds: float
) -> None:
    """The process is killed before, during and after each of the two writes."""
    before = (await services.fetch_state("account"))["balances"]
    await kill_during(killed, "/transfers", TRANSFER, seconds)
    await process.recover()

    again = await post(process, "/transfers", TRANSFER)

    after = (await services.fetch_state("account"))["balances"]
    assert again.status_code == 201
    assert float(after["acc-001"]) == float(before["acc-001"]) - 25
    assert float(after["acc-002"]) == float(before["acc-002"]) + 25
    assert (await list_statuses(services, "payment", "transfers")).count("executed") == 1


async def test_waiting_client_gets_answer_after_crash(
    services: InProcessServices, killed: Process, process: Process
) -> None:
    await services.set_latencies("order", "/orders", 1500)
    await kill_during(killed, "/purchases", PURCHASE, 0.5)
    waiting = asyncio.create_task(post(process, "/purchases", PURCHASE))

    await process.recover()

    assert (await waiting).status_code == 201


async def test_stuck_execution_of_crash_is_500_until_retry(
    services: InProcessServices, killed: Process, process: Process
) -> None:
    await services.set_latencies("order", "/orders", 1500)
    await kill_during(killed, "/purchases", PURCHASE, 0.5)
    await services.set_faults("order", ("/orders", "status"))
    await process.recover(40)  # the undos have 30 seconds

    refused = [await post(process, "/purchases", PURCHASE) for _ in range(2)]

    execution_id = refused[0].json()["execution_id"]
    assert [(response.status_code, response.json()["code"]) for response in refused] == [(500, "stuck")] * 2
    listed = (await process.client.get("/executions?state=stuck")).json()["executions"]
    assert [execution["execution_id"] for execution in listed] == [execution_id]

    await services.set_faults("order")
    retried = await process.client.post(f"/executions/{execution_id}/retry")
    again = await post(process, "/purchases", PURCHASE)

    assert retried.json()["state"] == "undone"
    assert (again.status_code, again.headers["location"]) == (201, f"/executions/{execution_id}")


async def test_keyless_commit_is_undone_after_crash(
    services: InProcessServices, killed: Process, process: Process
) -> None:
    await kill_during(killed, "/transfers", TRANSFER, 0.15, {})

    await process.recover()

    listed = (await process.client.get("/executions")).json()["executions"]
    assert [execution["state"] for execution in listed] == ["undone"]
    assert await list_statuses(services, "payment", "transfers") == ["reversed"]
