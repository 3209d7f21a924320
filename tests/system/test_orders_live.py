"""POST /orders against real mock services, over HTTP."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Stack, running

REPEATED: Final = {"Idempotency-Key": "order-1"}
LATE_DISCONNECT: Final = {"Idempotency-Key": "order-2"}
EARLY_DISCONNECT: Final = {"Idempotency-Key": "order-3"}


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0, GATEWAY_CALL_TIMEOUT_MS="800") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def read_stock(stack: Stack) -> tuple[int, int]:
    """Return the stock of the ordered product, and the number of reservations."""
    state = stack.state_of("inventory")
    return state["stock"]["prod-456"], len(state["reservations"])


def test_repeated_order_reserves_stock_once(stack: Stack) -> None:
    first, again = (stack.client.post("/orders", json=ORDER, headers=REPEATED) for _ in "12")

    assert (first.status_code, first.json()["status"], first.json()["total"]) == (201, "confirmed", "62.98")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert read_stock(stack) == (99, 1)


@pytest.mark.parametrize(("kind", "status"), [("drop", 503), ("garbage", 502), ("hang", 504)])
def test_failed_shipping_quote_releases_reservation(stack: Stack, kind: str, status: int) -> None:
    stack.break_down("shipping", kind)
    answer = stack.client.post("/orders", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (status, "shipping.quote")
    assert read_stock(stack) == (100, 0)
    assert stack.calls_of("inventory")[-1] == "DELETE /reservations/{key}"


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
def test_retried_reservation_reserves_stock_once(stack: Stack, kind: str) -> None:
    stack.break_down("inventory", kind, path_prefix="/reservations", times=1)
    answer = stack.client.post("/orders", json=ORDER)

    assert (answer.status_code, read_stock(stack)) == (201, (99, 1))


def test_disconnect_during_commit_keeps_order(stack: Stack) -> None:
    stack.break_down("shipping", "latency", latency_ms=300)
    stack.post_and_disconnect(
        "/orders", ORDER, LATE_DISCONNECT, lambda: "POST /reservations" in stack.calls_of("inventory")
    )
    until(lambda: stack.calls_of("shipping") == ["POST /quotes"])
    answer = stack.client.post("/orders", json=ORDER, headers=LATE_DISCONNECT)

    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert stack.outcomes_of("shipping") == ["answered"]
    assert read_stock(stack) == (99, 1)


def test_disconnect_before_commit_cancels_order(stack: Stack) -> None:
    stack.break_down("fraud", "hang")
    stack.post_and_disconnect(
        "/orders", ORDER, EARLY_DISCONNECT, lambda: stack.calls_of("payment") == ["GET /payments/{id}"]
    )
    until(lambda: stack.outcomes_of("fraud") == ["disconnected"])
    stack.heal("fraud")
    answer = stack.client.post("/orders", json=ORDER, headers=EARLY_DISCONNECT)

    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert read_stock(stack) == (99, 1)
