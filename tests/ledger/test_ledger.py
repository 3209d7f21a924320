"""Random operations on the gateway: at the end, the books are consistent and match all responses.

`scripts/test tests/ledger` runs the same examples each time. `scripts/test tests/ledger
--hypothesis-profile=long` runs many random examples and prints a failing example, so that it can be repeated.
`--hypothesis-show-statistics` shows the frequency of responses and of rare events.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from typing import Final, TypeAlias, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_services.catalogue import SERVICES
from tests.ledger.caller_records import WriteRequest
from tests.ledger.in_process_gateway import Disconnect
from tests.ledger.operations import (
    CutOff,
    InjectFaults,
    Operation,
    RepeatRequest,
    Restore,
    Retry,
    SendRequest,
    Wait,
    run_operations,
)

T = TypeVar("T")
Target: TypeAlias = tuple[str, str, str | None]
"""A service, a path prefix and a method."""
Fault: TypeAlias = Mapping[str, object]

IS_LONG: Final = settings.get_current_profile_name() == "long"
EXAMPLES: Final = settings() if IS_LONG else settings(max_examples=150, deadline=None, derandomize=True)

KEYS: Final = st.sampled_from([None, None, "key-1", "key-2", '"key-2"', "key-3"])
QUANTITIES: Final = st.sampled_from([1, 2, 45, 60])
PRODUCTS: Final = st.sampled_from(["prod-456"] * 8 + ["prod-expensive", "prod-out-of-stock"])
USERS: Final = st.sampled_from(["user-123", "user-456"])
ACCOUNTS: Final = ("acc-001", "acc-002", "acc-empty")
PAIRS: Final = st.sampled_from(
    [
        *[*permutations(ACCOUNTS, 2), ("acc-001", "acc-empty"), ("acc-001", "acc-002")] * 2,
        *product(ACCOUNTS[:2], ("acc-frozen", "acc-none")),
        ("acc-001", "acc-sanctioned"),
    ]
)
AMOUNTS: Final = st.sampled_from(["0.01", "20", "100.00", "249.9", "1000.00"])


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """Choose among strategies by weight; `one_of` would ignore repeated strategies."""
    return st.sampled_from([choice for weight, choice in choices for _ in range(weight)]).flatmap(
        lambda choice: choice
    )


def transfer(accounts: tuple[str, str], amount: str, key: str | None) -> WriteRequest:
    source, destination = accounts
    body = {"from_account": source, "to_account": destination, "amount": amount, "currency": "USD"}
    return WriteRequest("/transfers", body, key)


def order(product: str, quantity: int, key: str | None) -> WriteRequest:
    buyer = {"user_id": "user-123", "payment_id": "pm-789", "address": "123 Main St"}
    return WriteRequest("/orders", {**buyer, "product_id": product, "quantity": quantity}, key)


def purchase(user: str, product: str, quantity: int, key: str | None) -> WriteRequest:
    body = {"user_id": user, "product_id": product, "quantity": quantity}
    return WriteRequest("/purchases", body, key, f"token-{user}")


TRANSFERS: Final = st.builds(transfer, PAIRS, AMOUNTS, KEYS)
ORDERS: Final = st.builds(order, PRODUCTS, QUANTITIES, KEYS)
PURCHASES: Final = st.builds(purchase, USERS, PRODUCTS, QUANTITIES, KEYS)
NO_KEYS: Final = st.none()
ONE: Final = st.just(1)
CHEAP: Final = st.builds(transfer, PAIRS, st.just("0.01"), NO_KEYS)
REQUESTS: Final = weighted((3, TRANSFERS), (1, ORDERS), (1, PURCHASES))

TIMEOUTS: Final = st.sampled_from([None, None, None, None, 1, 550, 600, 700, 1500])
# Without faults, commits begin after 50, 90 and 100 ms.
MOMENTS: Final = st.sampled_from([0, 20, 50, 50, 75, 90, 90, 100, 100, 125, 130, 170, 1000])
DISCONNECTS: Final[st.SearchStrategy[Disconnect]] = weighted(
    (3, st.none()), (1, st.tuples(MOMENTS, st.integers(0, 24)))
)

READS: Final[Sequence[Target]] = [
    ("user", "/users", None),
    ("inventory", "/inventory", None),
    ("payment", "/payments", None),
    ("account", "/accounts", None),
    ("fraud", "/", None),
    ("shipping", "/quotes", None),
    ("auth", "/sessions", None),
]
WRITES: Final[Sequence[Target]] = [
    ("account", "/postings", "POST"),
    ("payment", "/transfers", "POST"),
    ("inventory", "/reservations", "POST"),
    ("order", "/orders", "POST"),
]
UNDOS: Final[Sequence[Target]] = [(service, path, "DELETE") for service, path, _ in WRITES]
OPTIONAL: Final[Sequence[Target]] = [("notification", "/", None), ("analytics", "/", None)]
TARGETS: Final = st.sampled_from([*READS, *WRITES, *WRITES, *UNDOS, *UNDOS, *OPTIONAL])
KINDS: Final = st.sampled_from(
    ["status", "status", "latency", "hang", "drop", "garbage", "truncate", "drop_after_write"]
)
REFUSALS: Final = st.sampled_from([400, 404, 409, 409, 422, 429, 500, 503])
STATUSES: Final = REFUSALS | st.sampled_from([200, 201, 202])
LATENCIES: Final = st.sampled_from([None, 10, 990, 1010, 5000, 11_000, 35_000])
TIMES: Final = st.sampled_from([None, 1, 1, 1, 2, 2, 3, 6, 15])
FAULTS: Final[st.SearchStrategy[Fault]] = st.fixed_dictionaries(
    {"kind": KINDS, "status": STATUSES, "latency_ms": LATENCIES, "times": TIMES},
    optional={"retry_after": st.sampled_from([0, 2])},
)


@st.composite
def faults_of_endpoint(draw: st.DrawFn) -> InjectFaults:
    """Draw faults of an endpoint of a service.

    No fault makes an undo endpoint report a success without undoing the write, because the gateway could not
    detect that.
    """
    service, path, method = draw(TARGETS)
    faults = draw(st.lists(FAULTS, min_size=1, max_size=2))
    if method == "DELETE":
        faults = [{**fault, "status": draw(REFUSALS)} for fault in faults]
    return InjectFaults(service, [{"path_prefix": path, "method": method, **fault} for fault in faults])


@st.composite
def hidden_writes(draw: st.DrawFn) -> InjectFaults:
    """Draw faults of a service: a write takes effect without a response; its repeats and undos fail."""
    service, path, _ = draw(st.sampled_from([WRITES[0], *WRITES]))
    write, undo = {"path_prefix": path, "method": "POST"}, {"path_prefix": path, "method": "DELETE"}
    kind = draw(st.sampled_from(["drop_after_write", "truncate", "latency"]))
    late = {"kind": kind, "latency_ms": draw(st.sampled_from([1010, 11_000, 35_000])), "times": 1}
    then = {"kind": draw(st.sampled_from(["status", "garbage", "hang"])), "status": draw(REFUSALS)}
    slow = {**draw(FAULTS), "status": draw(REFUSALS), "times": draw(st.sampled_from([1, 3, 15, None, None]))}
    return InjectFaults(service, [{**write, **late}, {**write, **then}, {**undo, **slow}])


CROWD: Final = 12
"""Number of requests that, with the retries in the budget, open a circuit breaker."""


def outage(service: str, request: WriteRequest) -> CutOff:
    return CutOff(service, [request] * CROWD)


OUTAGES: Final = weighted(
    (3, st.builds(outage, st.sampled_from(["payment", "payment", "account", "fraud"]), CHEAP)),
    (1, st.builds(outage, st.sampled_from(["inventory", "user"]), st.builds(order, PRODUCTS, ONE, NO_KEYS))),
    (1, st.builds(outage, st.just("order"), st.builds(purchase, USERS, PRODUCTS, ONE, NO_KEYS))),
)

SENDS: Final = st.builds(SendRequest, REQUESTS, TIMEOUTS, DISCONNECTS)
WAITS: Final = st.sampled_from([5, 50, 90, 100, 130, 200, 500, 1000, 5000, 12_000, 45_000, 45_000])
OPERATIONS: Final = weighted(
    (10, SENDS),
    (4, st.builds(RepeatRequest, st.integers(1, 4), TIMEOUTS, DISCONNECTS)),
    (9, st.builds(Wait, WAITS)),
    (2, faults_of_endpoint()),
    (5, hidden_writes()),
    (2, st.just(Restore())),
    (1, st.builds(CutOff, st.sampled_from([*SERVICES]))),
    (1, OUTAGES),
    (3, st.builds(Retry, st.integers(0, 2))),
)


@pytest.fixture
def _quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "gateway")


@pytest.mark.usefixtures("_quiet_log")
@settings(EXAMPLES)
@given(st.lists(OPERATIONS, min_size=20, max_size=60))
async def test_random_operations_keep_books_consistent(operations: Sequence[Operation]) -> None:
    """Each execution takes effect completely or not at all, and its responses report the same outcome."""
    await run_operations(operations)
