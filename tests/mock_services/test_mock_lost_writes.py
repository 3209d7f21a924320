"""Writes whose callers do not learn what has become of them."""

import asyncio
from dataclasses import dataclass

import httpx
import pytest

from mock_services.http.connection import ConnectionDroppedError
from tests.mock_services.in_process_client import create_client, fetch_calls, fetch_state, put_faults, write

TRANSFER = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
ORDER = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}


@dataclass(frozen=True)
class Write:
    """A write of one service, and where its state shows it."""

    service: str
    path: str
    body: dict[str, object]
    shown_as: str


UNDOABLE = [
    Write("inventory", "/reservations", {"product_id": "prod-456", "quantity": 2}, "reservations"),
    Write("payment", "/transfers", {**TRANSFER}, "transfers"),
    Write("account", "/postings", {**TRANSFER}, "postings"),
    Write("order", "/orders", {**ORDER}, "orders"),
]
WRITES = [
    *UNDOABLE,
    Write("notification", "/notifications", {"user_id": "user-123", "order_id": "ord-1"}, "notifications"),
    Write("analytics", "/events", {"event": "order created", "order_id": "ord-1"}, "events"),
]

each_write = pytest.mark.parametrize("one", WRITES, ids=lambda one: str(one.service))
each_undoable = pytest.mark.parametrize("one", UNDOABLE, ids=lambda one: str(one.service))


async def send(client: httpx.AsyncClient, one: Write) -> httpx.Response:
    return await write(client, one.path, "key-1", one.body)


async def undo(client: httpx.AsyncClient, one: Write) -> httpx.Response:
    return await client.delete(f"{one.path}/key-1")


async def leave_after_a_second(client: httpx.AsyncClient, one: Write) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(client, one), 1)


async def written(client: httpx.AsyncClient, one: Write) -> object:
    return (await fetch_state(client))[one.shown_as]


@each_write
async def test_a_write_whose_answer_is_dropped_has_happened_and_its_repeat_tells_of_it(one: Write) -> None:
    client = create_client(one.service)
    await put_faults(client, {"path_prefix": one.path, "kind": "drop_after_write", "times": 1})

    with pytest.raises(ConnectionDroppedError):
        await send(client, one)
    before = await written(client, one)
    repeat = await send(client, one)

    assert repeat.is_success
    assert before == await written(client, one) != []
    assert [call.outcome for call in await fetch_calls(client)] == ["disconnected", "answered"]


@each_write
@pytest.mark.parametrize("kind", ["drop", "status", "garbage"])
async def test_a_write_that_is_kept_from_its_service_has_not_happened_and_its_repeat_is_the_first(
    one: Write, kind: str
) -> None:
    client = create_client(one.service)
    await put_faults(client, {"path_prefix": one.path, "method": "POST", "kind": kind, "times": 1})
    before = await fetch_state(client)

    if kind == "drop":
        with pytest.raises(ConnectionDroppedError):
            await send(client, one)
    else:
        await send(client, one)

    assert await fetch_state(client) == before
    assert (await send(client, one)).is_success


@each_write
async def test_a_write_with_latency_happens_after_its_caller_has_left(one: Write) -> None:
    client = create_client(one.service)
    await put_faults(client, {"path_prefix": one.path, "kind": "latency", "latency_ms": 3000, "times": 1})
    before = await fetch_state(client)

    await leave_after_a_second(client, one)
    meanwhile = await fetch_state(client)
    await asyncio.sleep(2.1)

    assert meanwhile == before
    assert await written(client, one) != []
    assert (await send(client, one)).is_success


@each_write
async def test_a_write_that_hangs_never_happens(one: Write) -> None:
    client = create_client(one.service)
    await put_faults(client, {"path_prefix": one.path, "kind": "hang", "times": 1})
    before = await fetch_state(client)

    await leave_after_a_second(client, one)
    await asyncio.sleep(86_400)

    assert await fetch_state(client) == before
    assert (await send(client, one)).is_success


@each_undoable
async def test_a_slow_write_that_its_undo_overtakes_has_no_effect(one: Write) -> None:
    client = create_client(one.service)
    await put_faults(
        client, {"path_prefix": one.path, "method": "POST", "kind": "latency", "latency_ms": 3000}
    )
    before = await fetch_state(client)

    await leave_after_a_second(client, one)
    undone = await undo(client, one)
    await asyncio.sleep(10)

    assert undone.status_code == 204
    assert await fetch_state(client) == before
    assert (await send(client, one)).status_code == 409


@each_undoable
async def test_of_two_slow_writes_with_one_key_the_first_to_arrive_answers_for_both(one: Write) -> None:
    client = create_client(one.service)
    await put_faults(client, {"path_prefix": one.path, "kind": "latency", "latency_ms": 3000, "times": 1})

    slow, quick = await asyncio.gather(send(client, one), send(client, one))

    assert slow.content == quick.content
    assert slow.status_code == 201


@each_undoable
async def test_an_undo_whose_answer_is_dropped_has_happened_and_can_be_repeated(one: Write) -> None:
    client = create_client(one.service)
    await send(client, one)
    await put_faults(
        client, {"path_prefix": one.path, "method": "DELETE", "kind": "drop_after_write", "times": 1}
    )

    with pytest.raises(ConnectionDroppedError):
        await undo(client, one)
    before = await fetch_state(client)
    repeat = await undo(client, one)

    assert repeat.status_code == 204
    assert await fetch_state(client) == before
    assert (await send(client, one)).status_code == 409


@each_undoable
async def test_an_undo_with_latency_happens_after_its_caller_has_left(one: Write) -> None:
    client = create_client(one.service)
    await send(client, one)
    await put_faults(
        client, {"path_prefix": one.path, "method": "DELETE", "kind": "latency", "latency_ms": 3000}
    )
    before = await fetch_state(client)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(undo(client, one), 1)
    meanwhile = await fetch_state(client)
    await asyncio.sleep(2.1)

    assert meanwhile == before
    assert await fetch_state(client) != before
