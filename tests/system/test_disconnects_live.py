"""A client that hangs up before anything is written: what is read for it ends at once, in every stage.

That a commit goes on without its client is shown where each pipeline that writes is tested.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import httpx
import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Json, Stack, running

RENT: Final = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00", "currency": "USD"}
WANTED: Final[Json] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
ADA: Final = {"Authorization": "Bearer token-user-123"}
BODIES: Final[Mapping[str, Json]] = {
    "/checkout": ORDER,
    "/orders": ORDER,
    "/transfers": RENT,
    "/purchases": WANTED,
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
"""The request, and the service that hangs, by pipeline and stage."""

BOOKS: Final = (
    ("inventory", "reservations"),
    ("payment", "transfers"),
    ("account", "postings"),
    ("order", "orders"),
)


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    # Longer than anybody waits here: a call that ends has been cancelled.
    with running(0, GATEWAY_CALL_TIMEOUT_MS="60000", GATEWAY_DEADLINE_MS="60000") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def written(stack: Stack) -> Sequence[object]:
    return [one for service, what in BOOKS for one in stack.state_of(service)[what]]


def ask_and_leave(stack: Stack, path: str) -> None:
    method = "POST" if path in BODIES else "GET"
    with pytest.raises(httpx.ReadTimeout):
        stack.client.request(method, path, json=BODIES.get(path), headers=ADA, timeout=0.15)


@pytest.mark.parametrize(("path", "service", "where"), READS.values(), ids=READS)
def test_what_is_read_ends_with_its_client_and_nothing_is_written(
    stack: Stack, path: str, service: str, where: str
) -> None:
    stack.break_down(service, "hang", path_prefix=where)

    def is_seen() -> bool:
        ask_and_leave(stack, path)  # on a busy machine he may leave before the call is made
        return "disconnected" in stack.outcomes_of(service)

    until(is_seen)
    assert written(stack) == []
