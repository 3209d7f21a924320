"""Client disconnects in every stage before the commit.

Disconnects during a commit are tested with each writing pipeline, such as in `test_orders_live`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import httpx
import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Json, Stack, running

RENT: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
PURCHASE: Final[Json] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
BODIES: Final[Mapping[str, Json]] = {
    "/checkout": ORDER,
    "/orders": ORDER,
    "/transfers": RENT,
    "/purchases": PURCHASE,
}

READS: Final = {
    "checkout, core data": ("/checkout", "user", "/users"),
    "checkout, assessment": ("/checkout", "fraud", "/"),
    "checkout, pricing": ("/checkout", "pricing", "/tax"),
    "feed, profile": ("/feed/user-123", "user", "/users"),
    "feed, content": ("/feed/user-123", "social", "/posts"),
    "orders, core data": ("/orders", "payment", "/"),
    "orders, verification": ("/orders", "fraud", "/"),
    "transfers, account data": ("/transfers", "account", "/accounts"),
    "transfers, checks": ("/transfers", "fraud", "/"),
    "purchases, identity": ("/purchases", "auth", "/"),
}
"""The request, the hanging service and its hanging path, by pipeline and stage."""

WRITES: Final = (
    ("inventory", "reservations"),
    ("payment", "transfers"),
    ("account", "postings"),
    ("order", "orders"),
)
"""The services that store writes, each with the field of its state that lists the writes."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    # Longer than the tests wait, so a call that ends has been cancelled.
    with running(0, GATEWAY_CALL_TIMEOUT_MS="60000", GATEWAY_DEADLINE_MS="60000") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def list_writes(stack: Stack) -> Sequence[object]:
    return [write for service, name in WRITES for write in stack.state_of(service)[name]]


def send_and_disconnect(stack: Stack, path: str) -> None:
    method = "POST" if path in BODIES else "GET"
    with pytest.raises(httpx.ReadTimeout):
        stack.client.request(method, path, json=BODIES.get(path), headers=TOKEN, timeout=0.15)


@pytest.mark.parametrize(("path", "service", "hanging_path"), READS.values(), ids=READS)
def test_client_disconnect_ends_reads_before_commit(
    stack: Stack, path: str, service: str, hanging_path: str
) -> None:
    """A disconnect before the commit cancels the reads of the request, and nothing is written."""
    stack.break_down(service, "hang", path_prefix=hanging_path)

    def disconnect_once() -> bool:
        send_and_disconnect(stack, path)  # on a busy machine possibly before the call is made
        return "disconnected" in stack.outcomes_of(service)

    until(disconnect_once)
    assert list_writes(stack) == []
