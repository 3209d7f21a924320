"""What the games have found, each by itself."""

import asyncio
import itertools

import pytest

from tests.ledger.caller_records import Wanted
from tests.ledger.in_process_gateway import World

TRANSFER = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
RESERVED = "/reservations"
ORDER = {"user_id": "user-123", "product_id": "prod-456", "payment_id": "pm-789", "address": "1 Main St"}
PURCHASE = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}

EACH = pytest.mark.parametrize(
    ("wanted", "milliseconds"),
    [
        (Wanted("/transfers", TRANSFER, "key-1"), 90),
        (Wanted("/orders", {**ORDER, "quantity": 1}, "key-1"), 100),
        (Wanted("/purchases", PURCHASE, "key-1", "token-user-123"), 50),
    ],
    ids=["transfers", "orders", "purchases"],
)


@EACH
async def test_whoever_hangs_up_about_when_the_commit_begins_leaves_a_run_that_ends_or_none(
    wanted: Wanted, milliseconds: int
) -> None:
    begun: list[bool] = []
    for turns in range(40):
        world = World()
        world.ask(wanted, hangs_up=(milliseconds, turns))
        await asyncio.sleep(1)
        begun.append(bool(await world.executions()))
        await world.settle()

    # Each turn was tried, the first ones too early for the commit and the last ones too late.
    assert [is_so for is_so, _ in itertools.groupby(begun)] == [False, True]


async def test_an_undo_that_somebody_else_has_answered_is_not_taken_for_made() -> None:
    world = World()
    await world.break_down("shipping", [{"path_prefix": "/", "kind": "drop"}])
    await world.break_down("inventory", [{"path_prefix": RESERVED, "method": "DELETE", "kind": "garbage"}])

    world.ask(Wanted("/orders", {**ORDER, "quantity": 1}))
    await asyncio.sleep(60)

    assert [one.state for one in await world.executions()] == ["stuck"]
    await world.settle()


async def test_a_write_that_happened_though_its_repeat_was_refused_is_undone() -> None:
    world = World()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    await world.break_down("account", [lost, {**lost, "kind": "status", "status": 409}])

    world.ask(Wanted("/transfers", TRANSFER))
    await asyncio.sleep(60)

    assert [asked.told for asked in world.asked] == ["409"]
    assert "a posting is reversed" in (await world.books()).sights
    await world.settle()


async def test_the_undo_of_a_posting_overdraws_an_account_whose_money_was_spent_meanwhile() -> None:
    world = World()
    lost: dict[str, object] = {"path_prefix": "/postings", "kind": "drop_after_write", "times": 1}
    slow: dict[str, object] = {"path_prefix": "/postings/", "kind": "latency", "latency_ms": 900}
    await world.break_down("account", [slow, lost, {**lost, "kind": "status", "status": 500}])

    world.ask(Wanted("/transfers", {**TRANSFER, "to_account": "acc-empty"}))
    await asyncio.sleep(0.15)
    world.ask(Wanted("/transfers", {**TRANSFER, "from_account": "acc-empty"}))
    await asyncio.sleep(60)

    books = await world.books()
    assert [asked.told for asked in world.asked] == ["503", "201"]
    assert books.balances["acc-empty"] == -25
    await world.settle()


async def test_a_write_is_not_even_tried_while_its_service_is_left_alone_and_leaves_nothing_behind() -> None:
    world = World()
    world.cut("payment", [Wanted("/transfers", TRANSFER)] * 12)
    await asyncio.sleep(0.4)
    for _ in range(8):
        world.ask(Wanted("/transfers", TRANSFER))
    await asyncio.sleep(0.2)
    answers = [asked.answer for asked in world.asked if asked.answer]
    await world.heal()
    await asyncio.sleep(2)
    world.ask(Wanted("/transfers", TRANSFER))
    await world.settle()

    # Of the eight, three at the most are probes.
    waits = [answer.headers.get("retry-after") for answer in answers]
    assert (len(waits), waits[0]) == (20, None)
    assert waits[12:].count("1") >= 5
    assert "transfers are not even tried" in world.saw
    assert [asked.told for asked in world.asked] == [*["503"] * 20, "201"]


async def test_a_write_that_was_sent_is_repeated_though_its_service_is_left_alone_by_then() -> None:
    world = World()
    lost: dict[str, object] = {"path_prefix": "/orders", "method": "POST", "kind": "drop_after_write"}
    await world.break_down("order", [{**lost, "times": 20}])
    for _ in range(20):
        world.ask(Wanted("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.06)
    world.ask(Wanted("/purchases", PURCHASE, None, "token-user-123"))
    await asyncio.sleep(0.4)

    assert [asked.told for asked in world.asked] == [*["201"] * 20, "503"]
    await world.settle()
    assert "purchases are not even tried" in world.saw
