"""Load for the gateway: checkouts that go well and checkouts that fail, each held to what it must come to.

    scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s

An expected 4xx is a success; another status, or a body that differs in any field, is a failure of the
gateway.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from locust import FastHttpUser, between, task
from locust.contrib.fasthttp import FastResponse

Body = Mapping[str, Any]

SOME_ID: Final = "(some id)"


@dataclass(frozen=True)
class Case:
    """One kind of request, and what must come of it: a *status*, and the whole *body*.

    It comes up *weight* times as often as one of weight 1.
    """

    name: str
    path: str
    sent: Body | None
    status: int
    body: Body
    method: str = "POST"
    weight: int = 1


def dealt(cases: Sequence[Case]) -> Iterator[Case]:
    """Give *cases* for ever, each as often as its weight says, shuffled anew when all have come up."""
    deck = [case for case in cases for _ in range(case.weight)]
    while True:
        random.shuffle(deck)
        yield from deck


def differences(answer: FastResponse, case: Case) -> Iterator[str]:
    """Say in what *answer* is not what *case* must come to."""
    if answer.status_code != case.status:
        yield f"status {answer.status_code} instead of {case.status}"
        return
    try:
        body = json.loads(answer.text or "", object_hook=settled)
    except ValueError:
        yield "the body is not JSON"
        return
    if isinstance(body, dict):
        yield from differing_fields(body, case.body)
    else:
        yield "the body is no JSON object"


def differing_fields(body: Body, wanted: Body) -> Iterator[str]:
    """Say in what fields *body* is not *wanted*."""
    for name in wanted.keys() - body.keys():
        yield f"{name} is missing"
    for name in body.keys() - wanted.keys():
        yield f"{name} does not belong there"
    for name in body.keys() & wanted.keys():
        # Compared as JSON: in Python, 1 and true are equal.
        came, due = (json.dumps(fields[name], sort_keys=True) for fields in (body, wanted))
        if came != due:
            yield f"{name} is {came} instead of {due}"


def settled(part: dict[str, Any]) -> Body:
    """Put one value for what may vary in an object of the answer's JSON.

    Every request has another id. The title of 422 is Unprocessable Entity before Python 3.13, and the Python
    of the gateway need not be this one.
    """
    if isinstance(part.get("request_id"), str) and part["request_id"]:
        part["request_id"] = SOME_ID
    if part.get("title") == "Unprocessable Entity":
        part["title"] = "Unprocessable Content"
    return part


class Caller(FastHttpUser):
    """Somebody who sends *cases* and holds each answer to what it must be."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)
    cases: ClassVar[Sequence[Case]]

    def on_start(self) -> None:
        """Shuffle the cases."""
        self._deck = dealt(self.cases)

    @task
    def call(self) -> None:
        """Send the next case."""
        case = next(self._deck)
        name = f"{case.path}: {case.name} ({case.status})"
        with self.client.request(
            case.method, case.path, name=name, json=case.sent, catch_response=True
        ) as answer:
            wrong = sorted(differences(answer, case))
            if wrong:
                answer.failure("; ".join(wrong))
            else:
                answer.success()


def part(status: int, title: str, code: str, detail: str, **more: object) -> Body:
    """Write what a problem and each of an aggregate's errors have."""
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }


def refused(name: str, path: str, sent: Body, problem: Body) -> Case:
    """Make the case of a request that comes to *problem*."""
    return Case(name, path, sent, problem["status"], {**problem, "instance": path, "request_id": SOME_ID})


CHECKOUT: Final = "/checkout"


def order(**changes: object) -> Body:
    """Order something that can be had, but for *changes*."""
    return {
        "user_id": "user-123",
        "product_id": "prod-456",
        "payment_id": "pm-789",
        "address": "123 Main St",
        **changes,
    }


def priced(**amounts: object) -> Body:
    """Write the answer to an order that can be had; *amounts* depend on what was ordered."""
    return {
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
        **amounts,
    }


NO_USER: Final = part(404, "Not Found", "not-found", "User not found: nonexistent-user", source="users.fetch")
NO_STOCK: Final = part(
    409, "Conflict", "conflict", "Out of stock: product is unavailable", source="inventory.check"
)
EXPIRED: Final = part(
    422,
    "Unprocessable Content",
    "invalid",
    "Payment method expired",
    source="payments.validate",
    violations=[{"field": "", "messages": ["Payment method expired"]}],
)
SUSPICIOUS: Final = part(
    403, "Forbidden", "forbidden", "Suspicious transaction detected: high-risk user", source="fraud.assess"
)
BOTH: Final = part(
    207, "Multi-Status", "aggregate", "2 calls failed", completed=False, errors=[NO_USER, NO_STOCK]
)
BLANK: Final = part(
    422,
    "Unprocessable Content",
    "invalid",
    "The request is not valid",
    violations=[{"field": "address", "messages": ["must not be blank"]}],
)


class LuckyShopper(Caller):
    """Nine in ten order something that can be had."""

    weight = 9
    cases = (
        Case(
            "one piece",
            CHECKOUT,
            order(),
            200,
            priced(
                tax={"rate": "0.0825", "amount": "4.12"},
                discount={"code": None, "amount": "0.00"},
                subtotal="49.99",
                total="67.10",
            ),
            weight=8,
        ),
        Case(
            "three pieces with a discount",
            CHECKOUT,
            order(quantity=3, discount_code="SAVE10"),
            200,
            priced(
                tax={"rate": "0.0825", "amount": "12.37"},
                discount={"code": "SAVE10", "amount": "15.00"},
                subtotal="149.97",
                total="160.33",
            ),
        ),
    )


class UnluckyShopper(Caller):
    """One in ten orders something that cannot be had."""

    weight = 1
    cases = (
        refused("unknown user", CHECKOUT, order(user_id="nonexistent-user"), NO_USER),
        refused("out of stock", CHECKOUT, order(product_id="prod-out-of-stock"), NO_STOCK),
        refused("payment expired", CHECKOUT, order(payment_id="pm-expired"), EXPIRED),
        refused("high-risk user", CHECKOUT, order(user_id="user-high-risk"), SUSPICIOUS),
        refused(
            "two failures at once",
            CHECKOUT,
            order(user_id="nonexistent-user", product_id="prod-out-of-stock"),
            BOTH,
        ),
        refused("blank address", CHECKOUT, order(address=" "), BLANK),
    )
