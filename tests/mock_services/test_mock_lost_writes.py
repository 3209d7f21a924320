"""Writes and undos whose client does not receive a usable response."""

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
    """A write of a service; *ledger* is the name of its records in the state."""

    service: str
    path: str
    body: dict[str, object]
    ledger: str


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

each_write = pytest.mark.parametrize("operation", WRITES, ids=lambda operation: str(operation.service))
each_undoable = pytest.mark.parametrize("operation", UNDOABLE, ids=lambda operation: str(operation.service))


async def send(client: httpx.AsyncClient, operation: Write) -> httpx.Response:
    return await write(client, operation.path, "key-1", operation.body)


async def undo(client: httpx.AsyncClient, operation: Write) -> httpx.Response:
    return await client.delete(f"{operation.path}/key-1")


async def disconnect_after_a_second(client: httpx.AsyncClient, operation: Write) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(client, operation), 1)


async def fetch_records(client: httpx.AsyncClient, operation: Write) -> object:
    return (await fetch_state(client))[operation.ledger]


@each_write
async def test_repeated_write_after_lost_response_has_no_effect(operation: Write) -> None:
    client = create_client(operation.service)
    await put_faults(client, {"path_prefix": operation.path, "kind": "drop_after_write", "times": 1})

    with pytest.raises(ConnectionDroppedError):
        await send(client, operation)
    before = await fetch_records(client, operation)
    repeat = await send(client, operation)

    assert repeat.is_success
    assert before == await fetch_records(client, operation) != []
    assert [call.outcome for call in await fetch_calls(client)] == ["disconnected", "answered"]


@each_write
@pytest.mark.parametrize("kind", ["drop", "status", "garbage"])
async def test_write_stopped_by_fault_can_be_repeated(operation: Write, kind: str) -> None:
    """The fault replaces the write, so the write has no effect, and its repeat is handled as the first."""
    client = create_client(operation.service)
    await put_faults(client, {"path_prefix": operation.path, "method": "POST", "kind": kind, "times": 1})
    before = await fetch_state(client)

    if kind == "drop":
        with pytest.raises(ConnectionDroppedError):
            await send(client, operation)
    else:
        await send(client, operation)

    assert await fetch_state(client) == before
    assert (await send(client, operation)).is_success


@each_write
async def test_slow_write_takes_effect_after_disconnect(operation: Write) -> None:
    client = create_client(operation.service)
    await put_faults(
        client, {"path_prefix": operation.path, "kind": "latency", "latency_ms": 3000, "times": 1}
    )
    before = await fetch_state(client)

    await disconnect_after_a_second(client, operation)
    meanwhile = await fetch_state(client)
    await asyncio.sleep(2.1)

    assert meanwhile == before
    assert await fetch_records(client, operation) != []
    assert (await send(client, operation)).is_success


@each_write
async def test_hanging_write_never_takes_effect(operation: Write) -> None:
    client = create_client(operation.service)
    await put_faults(client, {"path_prefix": operation.path, "kind": "hang", "times": 1})
    before = await fetch_state(client)

    await disconnect_after_a_second(client, operation)
    await asyncio.sleep(86_400)

    assert await fetch_state(client) == before
    assert (await send(client, operation)).is_success


@each_undoable
async def test_slow_write_after_its_undo_has_no_effect(operation: Write) -> None:
    client = create_client(operation.service)
    await put_faults(
        client, {"path_prefix": operation.path, "method": "POST", "kind": "latency", "latency_ms": 3000}
    )
    before = await fetch_state(client)

    await disconnect_after_a_second(client, operation)
    undone = await undo(client, operation)
    await asyncio.sleep(10)

    assert undone.status_code == 204
    assert await fetch_state(client) == before
    assert (await send(client, operation)).status_code == 409


@each_undoable
async def test_writes_with_same_key_share_response(operation: Write) -> None:
    """The first write to arrive determines the response to both."""
    client = create_client(operation.service)
    await put_faults(
        client, {"path_prefix": operation.path, "kind": "latency", "latency_ms": 3000, "times": 1}
    )

    slow, quick = await asyncio.gather(send(client, operation), send(client, operation))

    assert slow.content == quick.content
    assert slow.status_code == 201


@each_undoable
async def test_undo_with_lost_response_can_be_repeated(operation: Write) -> None:
    client = create_client(operation.service)
    await send(client, operation)
    await put_faults(
        client, {"path_prefix": operation.path, "method": "DELETE", "kind": "drop_after_write", "times": 1}
    )

    with pytest.raises(ConnectionDroppedError):
        await undo(client, operation)
    before = await fetch_state(client)
    repeat = await undo(client, operation)

    assert repeat.status_code == 204
    assert await fetch_state(client) == before
    assert (await send(client, operation)).status_code == 409


@each_undoable
async def test_slow_undo_takes_effect_after_disconnect(operation: Write) -> None:
    client = create_client(operation.service)
    await send(client, operation)
    await put_faults(
        client, {"path_prefix": operation.path, "method": "DELETE", "kind": "latency", "latency_ms": 3000}
    )
    before = await fetch_state(client)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(undo(client, operation), 1)
    meanwhile = await fetch_state(client)
    await asyncio.sleep(2.1)

    assert meanwhile == before
    assert await fetch_state(client) != before
