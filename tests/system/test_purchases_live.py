"""POST /purchases against real mock services, over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.system.programs import until
from tests.system.stack import Json, Stack, running

PURCHASE: Final[Mapping[str, Json]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
REPEATED: Final = {**TOKEN, "Idempotency-Key": "purchase-1"}
DISCONNECT: Final = {**TOKEN, "Idempotency-Key": "purchase-2"}


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0) as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def list_orders(stack: Stack) -> Sequence[str]:
    """Return the status of every order."""
    return [order["status"] for order in stack.state_of("order")["orders"]]


def count_announcements(stack: Stack) -> tuple[int, int]:
    """Return the numbers of notifications and of analytics events."""
    notifications, events = (stack.state_of(name) for name in ("notification", "analytics"))
    return len(notifications["notifications"]), len(events["events"])


def test_repeated_purchase_orders_once(stack: Stack) -> None:
    """However often the same purchase is sent, there is one order, one notification and one event."""
    first, again = (stack.client.post("/purchases", json=PURCHASE, headers=REPEATED) for _ in "12")

    assert (first.status_code, first.json()["order"]["status"], first.json()["degraded"]) == (
        201,
        "created",
        [],
    )
    assert (again.status_code, again.content) == (201, first.content)
    assert (list_orders(stack), count_announcements(stack)) == (["created"], (1, 1))


def test_order_without_stock_is_cancelled(stack: Stack) -> None:
    answer = stack.client.post("/purchases", json={**PURCHASE, "quantity": 101}, headers=TOKEN)

    assert (answer.status_code, answer.json()["detail"]) == (409, "Out of stock: only 100 left")
    assert (list_orders(stack), count_announcements(stack)) == (["cancelled"], (0, 0))


@pytest.mark.parametrize("kind", ["hang", "drop", "garbage"])
def test_failed_notification_keeps_order(stack: Stack, kind: str) -> None:
    stack.break_down("notification", kind)
    answer = stack.client.post("/purchases", json=PURCHASE, headers=TOKEN)

    assert (answer.status_code, answer.json()["degraded"]) == (201, ["notification"])
    assert answer.headers["gateway-completed"] == "false"
    assert (list_orders(stack), count_announcements(stack)) == (["created"], (0, 1))


def test_disconnect_during_commit_keeps_purchase(stack: Stack) -> None:
    stack.break_down("inventory", "latency", latency_ms=300)
    stack.post_and_disconnect(
        "/purchases", PURCHASE, DISCONNECT, lambda: stack.calls_of("order") == ["POST /orders"]
    )
    until(lambda: count_announcements(stack) == (1, 1))
    answer = stack.client.post("/purchases", json=PURCHASE, headers=DISCONNECT)

    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert list_orders(stack) == ["created"]


def test_token_of_other_user_is_403_and_missing_token_401(stack: Stack) -> None:
    foreign = {**PURCHASE, "user_id": "nonexistent-user"}
    forbidden = stack.client.post("/purchases", json=foreign, headers=TOKEN)
    unauthorized = stack.client.post("/purchases", json=foreign)

    assert (forbidden.status_code, unauthorized.status_code) == (403, 401)
    assert list_orders(stack) == []
