"""A service that is started again, on what it has been told before."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mock_services.catalogue import create_service
from mock_services.write_log import WriteLog, WriteLogError
from tests.mock_services.in_process_client import create_client, fetch_calls, fetch_state, put_faults, write
from tests.mock_services.test_mock_lost_writes import WRITES, Write

TOO_MANY = {"product_id": "prod-456", "quantity": 101}

each_write = pytest.mark.parametrize("one", WRITES, ids=lambda one: str(one.service))


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], httpx.AsyncClient]:
    """Start a service, for the first time or again; the one before is as good as killed."""

    def start(name: str) -> httpx.AsyncClient:
        return create_client(create_service(name, latency_scale=0, write_log=WriteLog(tmp_path / "state")))

    return start


@each_write
async def test_it_knows_what_was_written_and_answers_a_repeat_as_before(
    start: Callable[[str], httpx.AsyncClient], one: Write
) -> None:
    before = start(one.service)
    answers = [await write(before, one.path, f"key-{number}", one.body) for number in range(2)]
    after = start(one.service)

    assert await fetch_state(after) == await fetch_state(before)
    for number, answer in enumerate(answers):
        assert (await write(after, one.path, f"key-{number}", one.body)).content == answer.content


async def test_it_knows_what_was_undone_and_what_was_refused(
    start: Callable[[str], httpx.AsyncClient],
) -> None:
    before = start("inventory")
    await write(before, "/reservations", "key-1", TOO_MANY)
    await before.delete("/reservations/key-2")
    after = start("inventory")

    assert (await write(after, "/reservations", "key-1", TOO_MANY)).json()["detail"].startswith("Cannot")
    assert (await write(after, "/reservations", "key-2", TOO_MANY)).json()["detail"].endswith("been undone")


async def test_it_knows_a_write_whose_answer_nobody_got_but_none_that_never_reached_it(
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


async def test_a_body_that_is_no_text_is_kept_as_well(start: Callable[[str], httpx.AsyncClient]) -> None:
    for _ in range(2):
        answer = await start("order").post("/orders", content=b"\xff\n", headers={"Idempotency-Key": "key-1"})

        assert answer.status_code == 400


async def test_faults_and_the_log_of_calls_end_with_it(start: Callable[[str], httpx.AsyncClient]) -> None:
    before = start("order")
    await put_faults(before, {"path_prefix": "/", "kind": "status"})
    await before.get("/orders/ord-1")
    after = start("order")

    assert await fetch_calls(after) == []
    assert (await after.get("/orders/ord-1")).status_code == 404


async def test_a_reset_is_for_good(start: Callable[[str], httpx.AsyncClient]) -> None:
    before = start("inventory")
    await write(before, "/reservations", "key-1", {"product_id": "prod-456", "quantity": 1})
    await before.delete("/_mock")
    await write(before, "/reservations", "key-2", {"product_id": "prod-456", "quantity": 10})
    after = start("inventory")

    assert await fetch_state(after) == await fetch_state(before)
    assert (await after.get("/inventory/prod-456")).json()["stock_level"] == 90


async def test_a_line_that_a_kill_has_torn_is_dropped(
    start: Callable[[str], httpx.AsyncClient], tmp_path: Path
) -> None:
    for key in ("key-1", "key-2"):
        await write(start("inventory"), "/reservations", key, {"product_id": "prod-456", "quantity": 1})
    file = tmp_path / "state"
    file.write_bytes(file.read_bytes()[:-5])
    await write(start("inventory"), "/reservations", "key-3", {"product_id": "prod-456", "quantity": 1})

    reserved = (await start("inventory").get("/_mock/state")).json()["reservations"]
    assert [record["key"] for record in reserved] == ["key-1", "key-3"]


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("dear diary\nwell")

    with pytest.raises(WriteLogError, match="notes: it contains something else"):
        WriteLog(file)
    assert file.read_text() == "dear diary\nwell"
