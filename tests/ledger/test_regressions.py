"""What the games have found, each by itself."""

import asyncio
import itertools

import pytest

from tests.ledger.caller_records import WriteRequest
from tests.ledger.in_process_gateway import InProcessGateway

TRANSFER = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
RESERVED = "/reservations"
ORDER = {"user_id": "user-123", "product_id": "prod-456", "payment_id": "pm-789", "address": "1 Main St"}
PURCHASE = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}

EACH = pytest.mark.parametrize(
    ("write_request", "milliseconds"),
    [
        (WriteRequest("/transfers", TRANSFER, "key-1"), 90),
        (WriteRequest("/orders", {**ORDER, "quantity": 1}, "key-1"), 100),
        (WriteRequest("/purchases", PURCHASE, "key-1", "token-user-123"), 50),
    ],
    ids=["transfers", "orders", "purchases"],
)


@EACH
async def test_whoever_hangs_up_about_when_the_commit_begins_leaves_a_run_that_ends_or_none(
    write_request: WriteRequest, milliseconds: int
) -> None:
    begun: list[bool] = []
    for turns in range(40):
        gateway = InProcessGateway()
        gateway.send(write_request, disconnect=(milliseconds, turns))
        await asyncio.sleep(1)
        begun.append(bool(await gateway.executions()))
        await gateway.settle()

    # Each turn was tried, the first ones too early for the commit and the last ones too late.
    assert [is_so for is_so, _ in itertools.groupby(begun)] == [False, True]


async def test_an_undo_that_somebody_else_has_answered_is_not_taken_for_made() -> None:
    gateway = InProcessGateway()
    await gateway.inject_faults("shipping", [{"path_prefix": "/", "kind": "drop"}])
    await gateway.inject_faults(
        "inventory", [{"path_prefix": RESERVED, "method": "DELETE", "kind": "garbage"}]
    )

    gateway.send(WriteRequest("/orders", {**ORDER, "quantity": 1}))
    await asyncio.sleep(60)

    assert [one.state for one in await gateway.executions()] == ["stuck"]
    await gateway.settle()


async def test_a_write_that_happened_though_its_repeat_was_refused_is_undone() -> None:
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    await gateway.inject_faults("account", [lost, {**lost, "kind": "status", "status": 409}])

    gateway.send(WriteRequest("/transfers", TRANSFER))
    await asyncio.sleep(60)

    assert [asked.summary for asked in gateway.sent] == ["409"]
    assert "a posting is reversed" in (await gateway.books()).rare_events
    await gateway.settle()


async def test_the_undo_of_a_posting_overdraws_an_account_whose_money_was_spent_meanwhile() -> None:
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    slow: dict[str, object] = {"path_prefix": "/postings/", "kind": "latency", "latency_ms": 900}
    await gateway.inject_faults("account", [slow, lost, {**lost, "kind": "status", "status": 500}])

    gateway.send(WriteRequest("/transfers", {**TRANSFER, "to_account": "acc-empty"}))
    await asyncio.sleep(0.15)
    gateway.send(WriteRequest("/transfers", {**TRANSFER, "from_account": "acc-empty"}))
    await asyncio.sleep(60)

    books = await gateway.books()
    assert [asked.summary for asked in gateway.sent] == ["503", "201"]
    assert books.balances["acc-empty"] == -25
    await gateway.settle()


async def test_a_write_is_not_even_tried_while_its_service_is_left_alone_and_leaves_nothing_behind() -> None:
    gateway = InProcessGateway()
    gateway.cut("payment", [WriteRequest("/transfers", TRANSFER)] * 12)
    await asyncio.sleep(0.4)
    for _ in range(8):
        gateway.send(WriteRequest("/transfers", TRANSFER))
    await asyncio.sleep(0.2)
    answers = [asked.answer for asked in gateway.sent if asked.answer]
    await gateway.clear_faults()
    await asyncio.sleep(2)
    gateway.send(WriteRequest("/transfers", TRANSFER))
    await gateway.settle()

    # Of the eight, three at the most are probes.
    waits = [answer.headers.get("retry-after") for answer in answers]
    assert (len(waits), waits[0]) == (20, None)
    assert waits[12:].count("1") >= 5
    assert "transfers are not even tried" in gateway.observed
    assert [asked.summary for asked in gateway.sent] == [*["503"] * 20, "201"]


async def test_a_write_that_was_sent_is_repeated_though_its_service_is_left_alone_by_then() -> None:
    gateway = InProcessGateway()
    lost: dict[str, object] = {"path_prefix": "/orders", "method": "POST", "kind": "drop_after_write"}
    await gateway.inject_faults("order", [{**lost, "times": 20}])
    for _ in range(20):
        gateway.send(WriteRequest("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.06)
    gateway.send(WriteRequest("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.4)

    assert [asked.summary for asked in gateway.sent] == [*["201"] * 20, "503"]
    await gateway.settle()
    assert "purchases are not even tried" in gateway.observed
