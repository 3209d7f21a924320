"""Regression tests for failures found by random operations."""

import asyncio
import itertools

import pytest

from tests.ledger.caller_records import WriteRequest
from tests.ledger.in_process_gateway import InProcessGateway

TRANSFER = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
RESERVATIONS = "/reservations"
ORDER = {"user_id": "user-123", "product_id": "prod-456", "payment_id": "pm-789", "address": "1 Main St"}
PURCHASE = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}

EVERY_PIPELINE = pytest.mark.parametrize(
    ("write_request", "milliseconds"),
    [
        (WriteRequest("/transfers", TRANSFER, "key-1"), 90),
        (WriteRequest("/orders", {**ORDER, "quantity": 1}, "key-1"), 100),
        (WriteRequest("/purchases", PURCHASE, "key-1", "token-user-123"), 50),
    ],
    ids=["transfers", "orders", "purchases"],
)


@EVERY_PIPELINE
async def test_disconnect_at_commit_leaves_no_partial_run(
    write_request: WriteRequest, milliseconds: int
) -> None:
    """A client that disconnects when the commit begins leaves a run that ends, or no run."""
    has_executions: list[bool] = []
    for turns in range(40):
        gateway = InProcessGateway()
        gateway.send(write_request, disconnect=(milliseconds, turns))
        await asyncio.sleep(1)
        has_executions.append(bool(await gateway.executions()))
        await gateway.settle()

    # The first disconnects come before the commit, the last after its begin.
    assert [has_execution for has_execution, _ in itertools.groupby(has_executions)] == [False, True]


async def test_malformed_undo_response_makes_run_stuck() -> None:
    """A malformed 200 to an undo does not count as undone."""
    gateway = InProcessGateway()
    await gateway.inject_faults("shipping", [{"path_prefix": "/", "kind": "drop"}])
    await gateway.inject_faults(
        "inventory", [{"path_prefix": RESERVATIONS, "method": "DELETE", "kind": "garbage"}]
    )

    gateway.send(WriteRequest("/orders", {**ORDER, "quantity": 1}))
    await asyncio.sleep(60)

    assert [execution.state for execution in await gateway.executions()] == ["stuck"]
    await gateway.settle()


async def test_lost_write_with_refused_retry_is_undone() -> None:
    """A write is undone if its first response was lost and its retry was refused."""
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    await gateway.inject_faults("account", [lost, {**lost, "kind": "status", "status": 409}])

    gateway.send(WriteRequest("/transfers", TRANSFER))
    await asyncio.sleep(60)

    assert [sent.summary for sent in gateway.sent] == ["409"]
    assert "a posting is reversed" in (await gateway.books()).rare_events
    await gateway.settle()


async def test_undo_of_posting_can_overdraw_account() -> None:
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    slow: dict[str, object] = {"path_prefix": "/postings/", "kind": "latency", "latency_ms": 900}
    await gateway.inject_faults("account", [slow, lost, {**lost, "kind": "status", "status": 500}])

    gateway.send(WriteRequest("/transfers", {**TRANSFER, "to_account": "acc-empty"}))
    await asyncio.sleep(0.15)
    gateway.send(WriteRequest("/transfers", {**TRANSFER, "from_account": "acc-empty"}))
    await asyncio.sleep(60)

    books = await gateway.books()
    assert [sent.summary for sent in gateway.sent] == ["503", "201"]
    assert books.balances["acc-empty"] == -25
    await gateway.settle()


async def test_open_breaker_prevents_writes() -> None:
    gateway = InProcessGateway()
    gateway.cut("payment", [WriteRequest("/transfers", TRANSFER)] * 12)
    await asyncio.sleep(0.4)
    for _ in range(8):
        gateway.send(WriteRequest("/transfers", TRANSFER))
    await asyncio.sleep(0.2)
    answers = [sent.answer for sent in gateway.sent if sent.answer]
    await gateway.clear_faults()
    await asyncio.sleep(2)
    gateway.send(WriteRequest("/transfers", TRANSFER))
    await gateway.settle()

    # At most three of the eight requests are probes.
    waits = [answer.headers.get("retry-after") for answer in answers]
    assert (len(waits), waits[0]) == (20, None)
    assert waits[12:].count("1") >= 5
    assert "transfers: no write was sent" in gateway.observed
    assert [sent.summary for sent in gateway.sent] == [*["503"] * 20, "201"]


async def test_open_breaker_allows_retry_of_sent_write() -> None:
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/orders", "method": "POST", "kind": "drop_after_write"}
    await gateway.inject_faults("order", [{**lost, "times": 20}])
    for _ in range(20):
        gateway.send(WriteRequest("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.06)
    gateway.send(WriteRequest("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.4)

    assert [sent.summary for sent in gateway.sent] == [*["201"] * 20, "503"]
    await gateway.settle()
    assert "purchases: no write was sent" in gateway.observed
