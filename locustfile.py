"""Load for the gateway: checkouts that go well and checkouts that fail, each held to what it must come to.

    scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s

An expected 4xx is a success; another status, or a body that says something else in the fields that a case
names, is a failure of the gateway.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from locust import FastHttpUser, between, task

ORDER: Final[Mapping[str, object]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}


@dataclass(frozen=True)
class Case:
    """One kind of order, and what must come of it: a status, and what the body says."""

    name: str
    status: int
    body: Mapping[str, object]
    changes: Mapping[str, object] = field(default_factory=dict)
    weight: int = 1


WHOLE: Final[Mapping[str, object]] = {
    "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
    "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
    "payment": {"payment_id": "pm-789", "is_valid": True},
    "fraud_check": {"is_safe": True, "risk_level": "Low"},
    "shipping": {"carrier": "USPS", "rate": "12.99"},
}
NOBODY: Final = {
    "type": "/problems/not-found",
    "title": "Not Found",
    "status": 404,
    "detail": "User not found: nonexistent-user",
    "code": "not-found",
    "source": "users.fetch",
}
NOTHING_LEFT: Final = {
    "type": "/problems/conflict",
    "title": "Conflict",
    "status": 409,
    "detail": "Out of stock: product is unavailable",
    "code": "conflict",
    "source": "inventory.check",
}
FINE: Final = (
    Case("one piece", 200, {**WHOLE, "total": "67.10"}, weight=8),
    Case(
        "three pieces with a discount",
        200,
        {**WHOLE, "total": "160.33"},
        {"quantity": 3, "discount_code": "SAVE10"},
    ),
)
FAILING: Final = (
    Case(
        "unknown user",
        404,
        {"code": "not-found", "source": "users.fetch", "detail": "User not found: nonexistent-user"},
        {"user_id": "nonexistent-user"},
    ),
    Case(
        "out of stock",
        409,
        {"code": "conflict", "source": "inventory.check", "detail": "Out of stock: product is unavailable"},
        {"product_id": "prod-out-of-stock"},
    ),
    Case(
        "payment expired",
        422,
        {"code": "invalid", "source": "payments.validate", "detail": "Payment method expired"},
        {"payment_id": "pm-expired"},
    ),
    Case(
        "high-risk user",
        403,
        {
            "code": "forbidden",
            "source": "fraud.assess",
            "detail": "Suspicious transaction detected: high-risk user",
        },
        {"user_id": "user-high-risk"},
    ),
    Case(
        "two failures at once",
        207,
        {"code": "aggregate", "completed": False, "errors": [NOBODY, NOTHING_LEFT]},
        {"user_id": "nonexistent-user", "product_id": "prod-out-of-stock"},
    ),
    Case(
        "blank address",
        422,
        {"code": "invalid", "violations": [{"field": "address", "messages": ["must not be blank"]}]},
        {"address": " "},
    ),
)


class Shopper(FastHttpUser):
    """Somebody who checks out, with orders that all come to what they are known to come to."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)

    def _order(self, cases: tuple[Case, ...]) -> None:
        (case,) = random.choices(cases, weights=[case.weight for case in cases])  # noqa: S311 - no secret
        name = f"/checkout: {case.name} ({case.status})"
        order = {**ORDER, **case.changes}
        with self.client.post("/checkout", json=order, name=name, catch_response=True) as answer:
            if answer.status_code != case.status:
                answer.failure(f"status {answer.status_code} instead of {case.status}")
                return
            try:
                body = dict(answer.json())
            except (TypeError, ValueError):
                answer.failure("the body is no JSON object")
                return
            wrong = {key: body.get(key) for key, wanted in case.body.items() if body.get(key) != wanted}
            if wrong:
                answer.failure(f"{wrong} instead of {case.body}")
            else:
                answer.success()


class Lucky(Shopper):
    """Nine in ten order something that can be had."""

    weight = 9

    @task
    def check_out(self) -> None:
        """Be shown what it costs."""
        self._order(FINE)


class Unlucky(Shopper):
    """One in ten orders something that cannot be had."""

    weight = 1

    @task
    def check_out(self) -> None:
        """Be told why not."""
        self._order(FAILING)
