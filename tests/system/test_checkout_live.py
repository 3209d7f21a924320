"""POST /checkout against real mock services, over HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Json, Stack, gateway, mocks, running

STAGE_1 = ("user", "inventory", "payment")
STAGE_2 = ("fraud", "shipping")
STAGE_3 = ("pricing",)


@pytest.fixture(scope="module")
def processes() -> Iterator[Stack]:
    with running(0.1, GATEWAY_CALL_TIMEOUT_MS="400") as stack:
        yield stack


@pytest.fixture
def stack(processes: Stack) -> Stack:
    processes.reset()
    return processes


def test_checkout_response_has_every_part(stack: Stack) -> None:
    answer = stack.checkout()

    assert answer.status_code == 200
    assert answer.json() == {
        "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
        "inventory": {
            "product_id": "prod-456",
            "stock_level": 100,
            "available": True,
            "unit_price": "49.99",
        },
        "payment": {"payment_id": "pm-789", "is_valid": True},
        "fraud_check": {"is_safe": True, "risk_level": "Low"},
        "shipping": {"carrier": "USPS", "rate": "12.99"},
        "tax": {"rate": "0.0825", "amount": "4.12"},
        "discount": {"code": None, "amount": "0.00"},
        "subtotal": "49.99",
        "total": "67.10",
    }


def test_checkout_total_is_exact(stack: Stack) -> None:
    """Quantity and discount change subtotal, tax and total, each exact to the cent."""
    body = stack.checkout(quantity=3, discount_code="SAVE10").json()

    assert body["discount"] == {"code": "SAVE10", "amount": "15.00"}
    assert (body["subtotal"], body["tax"]["amount"], body["total"]) == ("149.97", "12.37", "160.33")


def test_checkout_headers_have_timings_and_status(stack: Stack) -> None:
    """`Server-Timing` has the duration of every call, and `Gateway-Completed` is true."""
    answer = stack.checkout()

    timing = [entry.partition(";dur=") for entry in answer.headers["server-timing"].split(", ")]
    assert [name for name, _, _ in timing] == [
        "users.fetch",
        "inventory.check",
        "payments.validate",
        "fraud.assess",
        "shipping.quote",
        "pricing.tax",
        "pricing.discount",
        "gateway",
    ]
    assert all(float(milliseconds) >= 0 for _, _, milliseconds in timing)
    assert answer.headers["gateway-completed"] == "true"


@dataclass(frozen=True)
class FailureCase:
    """A checkout that fails because of its *order* or of *faults*, and its expected response."""

    status: int
    code: str
    order: Mapping[str, Json] = field(default_factory=dict[str, Json])
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    parts: Sequence[tuple[int, str]] = ()
    detail: str | None = None
    never_called: Sequence[str] = ()


AFTER_STAGE_1 = (*STAGE_2, *STAGE_3)
ALL_SERVICES = (*STAGE_1, *AFTER_STAGE_1)

FAILURES = {
    "an unknown user": FailureCase(
        404,
        "not-found",
        {"user_id": "nonexistent-user"},
        detail="User not found: nonexistent-user",
        never_called=AFTER_STAGE_1,
    ),
    "an unknown product": FailureCase(
        404,
        "not-found",
        {"product_id": "prod-x"},
        detail="Product not found: prod-x",
        never_called=AFTER_STAGE_1,
    ),
    "out of stock": FailureCase(
        409,
        "conflict",
        {"product_id": "prod-out-of-stock"},
        detail="Out of stock: product is unavailable",
        never_called=AFTER_STAGE_1,
    ),
    "too little in stock": FailureCase(
        409,
        "conflict",
        {"quantity": 101},
        detail="Out of stock: only 100 left",
        never_called=AFTER_STAGE_1,
    ),
    "an expired payment method": FailureCase(
        422,
        "invalid",
        {"payment_id": "pm-expired"},
        detail="Payment method expired",
        never_called=AFTER_STAGE_1,
    ),
    "an unknown payment method": FailureCase(
        404,
        "not-found",
        {"payment_id": "pm-x"},
        detail="Payment method not found: pm-x",
        never_called=AFTER_STAGE_1,
    ),
    "three failures at once": FailureCase(
        207,
        "aggregate",
        {"user_id": "nonexistent-user", "product_id": "prod-out-of-stock", "payment_id": "pm-expired"},
        parts=[(404, "users.fetch"), (409, "inventory.check"), (422, "payments.validate")],
        detail="3 calls failed",
        never_called=AFTER_STAGE_1,
    ),
    "two of the same status": FailureCase(
        207,
        "aggregate",
        {"user_id": "nonexistent-user", "product_id": "prod-x"},
        parts=[(404, "users.fetch"), (404, "inventory.check")],
        never_called=AFTER_STAGE_1,
    ),
    "a high-risk user": FailureCase(
        403,
        "forbidden",
        {"user_id": "user-high-risk"},
        detail="Suspicious transaction detected: high-risk user",
        never_called=STAGE_3,
    ),
    "an expensive product": FailureCase(
        403,
        "forbidden",
        {"product_id": "prod-expensive"},
        detail="Suspicious transaction: expensive item with low stock",
        never_called=STAGE_3,
    ),
    "an unknown discount code": FailureCase(
        404, "not-found", {"discount_code": "NOPE"}, detail="Discount code not found: NOPE"
    ),
    "an expired discount code": FailureCase(
        409, "conflict", {"discount_code": "EXPIRED"}, detail="Discount code expired"
    ),
    "a service that drops connections": FailureCase(
        503, "unavailable", faults={"user": "drop"}, never_called=AFTER_STAGE_1
    ),
    "a truncated response": FailureCase(
        503, "unavailable", faults={"user": "truncate"}, never_called=AFTER_STAGE_1
    ),
    "a hanging service": FailureCase(
        504, "timed-out", faults={"payment": "hang"}, never_called=AFTER_STAGE_1
    ),
    "a garbage response": FailureCase(
        502, "bad-answer", faults={"inventory": "garbage"}, never_called=AFTER_STAGE_1
    ),
    "garbage in the second stage": FailureCase(
        502, "bad-answer", faults={"fraud": "garbage"}, never_called=STAGE_3
    ),
    "a failing service and an unknown user": FailureCase(
        503,
        "aggregate",
        {"user_id": "nonexistent-user"},
        {"payment": "drop"},
        parts=[(404, "users.fetch"), (503, "payments.validate")],
        never_called=AFTER_STAGE_1,
    ),
    "a blank address": FailureCase(422, "invalid", {"address": "   "}, never_called=ALL_SERVICES),
    "an unknown field": FailureCase(422, "invalid", {"adress": "1 Main St"}, never_called=ALL_SERVICES),
    "a quantity that is text": FailureCase(422, "invalid", {"quantity": "3"}, never_called=ALL_SERVICES),
    "an id that would be a path": FailureCase(
        422, "invalid", {"user_id": "../admin"}, never_called=ALL_SERVICES
    ),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES)
def test_failed_stage_stops_checkout(stack: Stack, case: FailureCase) -> None:
    """A failure has its documented response, and the services of later stages are never called."""
    for service, kind in case.faults.items():
        stack.break_down(service, kind)

    answer = stack.checkout(**case.order)

    problem = answer.json()
    parts = [(part["status"], part["source"]) for part in problem.get("errors", ())]
    assert (answer.status_code, problem["status"], problem["code"]) == (case.status, case.status, case.code)
    assert parts == list(case.parts)
    assert case.detail in {None, problem["detail"]}
    assert {service: stack.calls_of(service) for service in case.never_called} == {
        service: [] for service in case.never_called
    }
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["gateway-completed"] == "false"
    assert answer.headers["cache-control"] == "no-store"


def test_failed_settle_stage_makes_all_its_calls(stack: Stack) -> None:
    stack.checkout(user_id="nonexistent-user")

    assert [stack.calls_of(service) for service in STAGE_1] == [
        ["GET /users/{id}"],
        ["GET /inventory/{id}"],
        ["GET /payments/{id}"],
    ]


def test_malformed_json_returns_400(stack: Stack) -> None:
    answer = stack.client.post("/checkout", content="{", headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_response_passes_on_retry_after_of_service(stack: Stack) -> None:
    stack.break_down("fraud", "status", status=503, retry_after=7)

    answer = stack.checkout()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def test_client_deadline_shortens_gateway_deadline(stack: Stack) -> None:
    stack.break_down("user", "hang")

    answer = stack.client.post("/checkout", json=ORDER, headers={"X-Request-Timeout-Ms": "390"})

    assert answer.status_code == 504
    assert answer.json()["source"] == "users.fetch"
    # Without the client's deadline there would be time for three attempts.
    until(lambda: stack.calls_of("user") == ["GET /users/{id}"])


def test_client_disconnect_cancels_calls(stack: Stack) -> None:
    stack.break_down("user", "hang")

    def disconnect_once() -> bool:
        with pytest.raises(httpx.ReadTimeout):
            stack.client.post("/checkout", json=ORDER, timeout=0.1)
        return "disconnected" in stack.outcomes_of("user")

    until(disconnect_once)  # on a busy machine the client may disconnect before the call is made


def test_checkout_recovers_when_dead_service_returns(stack: Stack) -> None:
    """A dead service causes 503 and fails its readiness check; after its restart, checkouts succeed."""
    with ExitStack() as first_run:
        users = first_run.enter_context(mocks("user", "--port", "0"))
        with gateway({**stack.services, **users}) as front:
            assert front.checkout().status_code == 200
            first_run.close()

            dead = front.checkout(product_id="prod-x")
            assert (dead.status_code, [part["status"] for part in dead.json()["errors"]]) == (503, [503, 404])
            assert front.client.get("/health/ready").json()["checks"]["user"][0]["status"] == "fail"

            with mocks("user", "--port", users["user"].rpartition(":")[2]):
                assert front.checkout().status_code == 200
