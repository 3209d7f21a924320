"""POST /purchases against real mock services, over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.system.programs import until
from tests.system.stack import Json, Stack, running

WANTED: Final[Mapping[str, Json]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
ADA: Final = {"Authorization": "Bearer token-user-123"}
ONCE: Final = {**ADA, "Idempotency-Key": "purchase-1"}
LEFT: Final = {**ADA, "Idempotency-Key": "purchase-2"}


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0) as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def orders(stack: Stack) -> Sequence[str]:
    return [order["status"] for order in stack.state_of("order")["orders"]]


def told(stack: Stack) -> tuple[int, int]:
    """Give how many notifications and events there are."""
    notifications, events = (stack.state_of(name) for name in ("notification", "analytics"))
    return len(notifications["notifications"]), len(events["events"])


def test_an_order_is_taken_and_told_of_once_however_often_the_same_purchase_comes(stack: Stack) -> None:
    first, again = (stack.client.post("/purchases", json=WANTED, headers=ONCE) for _ in "12")

    assert (first.status_code, first.json()["order"]["status"], first.json()["degraded"]) == (
        201,
        "created",
        [],
    )
    assert (again.status_code, again.content) == (201, first.content)
    assert (orders(stack), told(stack)) == (["created"], (1, 1))


def test_an_order_of_what_is_not_there_is_cancelled(stack: Stack) -> None:
    answer = stack.client.post("/purchases", json={**WANTED, "quantity": 101}, headers=ADA)

    assert (answer.status_code, answer.json()["detail"]) == (409, "Out of stock: only 100 left")
    assert (orders(stack), told(stack)) == (["cancelled"], (0, 0))


@pytest.mark.parametrize("kind", ["hang", "drop", "garbage"])
def test_an_order_stands_whether_the_buyer_hears_of_it_or_not(stack: Stack, kind: str) -> None:
    stack.break_down("notification", kind)
    answer = stack.client.post("/purchases", json=WANTED, headers=ADA)

    assert (answer.status_code, answer.json()["degraded"]) == (201, ["notification"])
    assert answer.headers["gateway-completed"] == "false"
    assert (orders(stack), told(stack)) == (["created"], (0, 1))


def test_who_hangs_up_during_a_commit_has_ordered_and_hears_of_it(stack: Stack) -> None:
    stack.break_down("inventory", "latency", latency_ms=300)
    stack.ask_and_leave("/purchases", WANTED, LEFT, lambda: stack.calls_of("order") == ["POST /orders"])
    until(lambda: told(stack) == (1, 1))
    answer = stack.client.post("/purchases", json=WANTED, headers=LEFT)

    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert orders(stack) == ["created"]


def test_a_token_of_somebody_else_is_forbidden_and_none_at_all_unauthorized(stack: Stack) -> None:
    wanted = {**WANTED, "user_id": "nonexistent-user"}
    forbidden = stack.client.post("/purchases", json=wanted, headers=ADA)
    unauthorized = stack.client.post("/purchases", json=wanted)

    assert (forbidden.status_code, unauthorized.status_code) == (403, 401)
    assert orders(stack) == []
