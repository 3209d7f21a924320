"""POST /orders against real mock services, over HTTP."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Stack, running

ONCE: Final = {"Idempotency-Key": "order-1"}
LEFT_LATE: Final = {"Idempotency-Key": "order-2"}
LEFT_EARLY: Final = {"Idempotency-Key": "order-3"}


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0, GATEWAY_CALL_TIMEOUT_MS="800") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def reserved(stack: Stack) -> tuple[int, int]:
    """Give how many are left in stock, and how many reservations there are."""
    state = stack.state_of("inventory")
    return state["stock"]["prod-456"], len(state["reservations"])


def test_goods_are_put_aside_once_however_often_the_same_order_comes(stack: Stack) -> None:
    first, again = (stack.client.post("/orders", json=ORDER, headers=ONCE) for _ in "12")

    assert (first.status_code, first.json()["status"], first.json()["total"]) == (201, "confirmed", "62.98")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert reserved(stack) == (99, 1)


@pytest.mark.parametrize(("kind", "status"), [("drop", 503), ("garbage", 502), ("hang", 504)])
def test_goods_whose_shipping_has_no_price_are_put_back(stack: Stack, kind: str, status: int) -> None:
    stack.break_down("shipping", kind)
    answer = stack.client.post("/orders", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (status, "shipping.quote")
    assert reserved(stack) == (100, 0)
    assert stack.calls_of("inventory")[-1] == "DELETE /reservations/{key}"


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
def test_goods_whose_answer_is_lost_are_asked_for_again_and_put_aside_once(stack: Stack, kind: str) -> None:
    stack.break_down("inventory", kind, path_prefix="/reservations", times=1)
    answer = stack.client.post("/orders", json=ORDER)

    assert (answer.status_code, reserved(stack)) == (201, (99, 1))


def test_who_hangs_up_during_a_commit_does_not_stop_it(stack: Stack) -> None:
    stack.break_down("shipping", "latency", latency_ms=300)
    stack.ask_and_leave(
        "/orders", ORDER, LEFT_LATE, lambda: "POST /reservations" in stack.calls_of("inventory")
    )
    until(lambda: stack.calls_of("shipping") == ["POST /quotes"])
    answer = stack.client.post("/orders", json=ORDER, headers=LEFT_LATE)

    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert stack.outcomes_of("shipping") == ["answered"]
    assert reserved(stack) == (99, 1)


def test_who_hangs_up_before_it_ends_the_order(stack: Stack) -> None:
    stack.break_down("fraud", "hang")
    stack.ask_and_leave(
        "/orders", ORDER, LEFT_EARLY, lambda: stack.calls_of("payment") == ["GET /payments/{id}"]
    )
    until(lambda: stack.outcomes_of("fraud") == ["disconnected"])
    stack.heal("fraud")
    answer = stack.client.post("/orders", json=ORDER, headers=LEFT_EARLY)

    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert reserved(stack) == (99, 1)
