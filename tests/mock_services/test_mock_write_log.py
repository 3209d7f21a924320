"""Restart of a service with a log of its earlier writes."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mock_services.catalogue import create_service
from mock_services.write_log import WriteLog, WriteLogError
from tests.mock_services.in_process_client import create_client, fetch_calls, fetch_state, put_faults, write
from tests.mock_services.test_mock_lost_writes import WRITES, Write

TOO_MANY = {"product_id": "prod-456", "quantity": 101}

each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: str(operation.service))


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], httpx.AsyncClient]:
    """Return a function that starts a service with the same file, as after a SIGKILL."""

    def start(name: str) -> httpx.AsyncClient:
        return create_client(create_service(name, latency_scale=0, write_log=WriteLog(tmp_path / "state")))

    return start


@each_write
async def test_restart_restores_writes_and_responses(
    start: Callable[[str], httpx.AsyncClient], operation: Write
) -> None:
    before = start(operation.service)
    answers = [await write(before, operation.path, f"key-{number}", operation.body) for number in range(2)]
    after = start(operation.service)

    assert await fetch_state(after) == await fetch_state(before)
    for number, answer in enumerate(answers):
        assert (await write(after, operation.path, f"key-{number}", operation.body)).content == answer.content


async def test_restart_restores_undos_and_failures(
    start: Callable[[str], httpx.AsyncClient],
) -> None:
    before = start("inventory")
    await write(before, "/reservations", "key-1", TOO_MANY)
    await before.delete("/reservations/key-2")
    after = start("inventory")

    assert (await write(after, "/reservations", "key-1", TOO_MANY)).json()["detail"].startswith("Cannot")
    assert (await write(after, "/reservations", "key-2", TOO_MANY)).json()["detail"].endswith("been undone")


async def test_restart_restores_handled_writes_only(
    start: Callable[[str], httpx.AsyncClient],
) -> None:
    before = start("order")
    order: dict[str, object] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
    await put_faults(
        before,
        {"path_prefix": "/", "kind": "garbage", "times": 1},
        {"path_prefix": "/", "kind": "truncate", "times": 1},
    )
    await write(before, "/orders", "key-1", order)
    with pytest.raises(ConnectionError):
        await write(before, "/orders", "key-2", order)
    after = start("order")

    assert [record["key"] for record in (await after.get("/_mock/state")).json()["orders"]] == ["key-2"]


async def test_restart_restores_binary_body(start: Callable[[str], httpx.AsyncClient]) -> None:
    for _ in range(2):
        answer = await start("order").post("/orders", content=b"\xff\n", headers={"Idempotency-Key": "key-1"})

        assert answer.status_code == 400


async def test_restart_clears_faults_and_call_log(start: Callable[[str], httpx.AsyncClient]) -> None:
    before = start("order")
    await put_faults(before, {"path_prefix": "/", "kind": "status"})
    await before.get("/orders/ord-1")
    after = start("order")

    assert await fetch_calls(after) == []
    assert (await after.get("/orders/ord-1")).status_code == 404


async def test_reset_clears_persisted_writes(start: Callable[[str], httpx.AsyncClient]) -> None:
    before = start("inventory")
    await write(before, "/reservations", "key-1", {"product_id": "prod-456", "quantity": 1})
    await before.delete("/_mock")
    await write(before, "/reservations", "key-2", {"product_id": "prod-456", "quantity": 10})
    after = start("inventory")

    assert await fetch_state(after) == await fetch_state(before)
    assert (await after.get("/inventory/prod-456")).json()["stock_level"] == 90


async def test_incomplete_last_line_is_dropped(
    start: Callable[[str], httpx.AsyncClient], tmp_path: Path
) -> None:
    for key in ("key-1", "key-2"):
        await write(start("inventory"), "/reservations", key, {"product_id": "prod-456", "quantity": 1})
    file = tmp_path / "state"
    file.write_bytes(file.read_bytes()[:-5])
    await write(start("inventory"), "/reservations", "key-3", {"product_id": "prod-456", "quantity": 1})

    reserved = (await start("inventory").get("/_mock/state")).json()["reservations"]
    assert [record["key"] for record in reserved] == ["key-1", "key-3"]


def test_foreign_file_is_rejected_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("dear diary\nwell")

    with pytest.raises(WriteLogError, match="notes as the --state file: it is not a write log"):
        WriteLog(file)
    assert file.read_text() == "dear diary\nwell"
