"""Load for the gateway: requests that go well and requests that fail, each held to what it must come to.

    scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s
    scripts/load LuckyShopper UnluckyShopper    (checkouts only)

An expected 4xx is a success; another status, or a body that differs in any field, is a failure of the
gateway. It can go on for hours: reads change nothing, money goes there and back, purchases put nothing aside,
and orders leave enough for those who only look.
"""

import json
import random
import re
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import cycle
from typing import Any, ClassVar, Final, NamedTuple

from locust import FastHttpUser, between, task
from locust.contrib.fasthttp import FastResponse

Body = Mapping[str, Any]
Headers = Mapping[str, str]

SOME: Final = "(some)"
"""Stands in bodies for what cannot be known, and is as `VARYING` says."""

VARYING: Final = {
    "request_id": re.compile(".+"),
    "execution_id": re.compile("exe-[0-9a-f]{32}"),
    "order_id": re.compile("ord-[0-9a-f]+"),
    "reservation_id": re.compile("res-[0-9a-f]+"),
    "transfer_id": re.compile("trf-[0-9a-f]+"),
    "notification_id": re.compile("ntf-[0-9a-f]+"),
    "event_id": re.compile("evt-[0-9a-f]+"),
    "balance": re.compile(r"\d+\.\d\d"),  # others move money meanwhile
    "detail": re.compile(r"Out of stock: only \d+ left"),  # others order meanwhile
}
SEEDED: Final = 100
CHEAP_UP_TO: Final = 50
"""With so many of a product or fewer, shipping has another price."""

LOCATION: Final = re.compile("/executions/exe-[0-9a-f]{32}")


class Sent(NamedTuple):
    """What was answered to a request, for whoever sends it again."""

    text: str
    location: str | None


@dataclass(frozen=True)
class Case:
    """One kind of request, and what must come of it: a *status*, and the whole *body*.

    It comes up *weight* times as often as one of weight 1. Where it *writes* it has an Idempotency-Key, and
    one in four is sent again under the same key, the first of all.
    """

    name: str
    path: str
    sent: Body | None
    status: int
    body: Body
    method: str = "POST"
    weight: int = 1
    headers: Headers = field(default_factory=dict)
    writes: bool = False

    @property
    def title(self) -> str:
        """Name it in the figures."""
        return f"{self.path}: {self.name} ({self.status})"


def dealt(cases: Sequence[Case]) -> Iterator[Case]:
    """Give *cases* for ever, each as often as its weight says, shuffled anew when all have come up."""
    deck = [case for case in cases for _ in range(case.weight)]
    while True:
        random.shuffle(deck)
        yield from deck


def differences(answer: FastResponse, case: Case, before: Sent | None) -> Iterator[str]:
    """Say in what *answer* is not what *case* must come to, nor what the same request came to *before*."""
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
    yield from differing_headers(answer, case, before)
    if before is not None and answer.text != before.text:
        yield "the body is another one than the first time"


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


def differing_headers(answer: FastResponse, case: Case, before: Sent | None) -> Iterator[str]:
    """Say what headers are not as they must be."""
    completed = "true" if case.status in {HTTPStatus.OK, HTTPStatus.CREATED} else "false"
    replayed = None if before is None else "true"
    for name, due in (("Gateway-Completed", completed), ("Idempotent-Replayed", replayed)):
        if answer.headers.get(name) != due:
            yield f"{name} is {answer.headers.get(name)} instead of {due}"
    location = answer.headers.get("Location")
    if before is not None and location != before.location:
        yield f"Location is {location} instead of {before.location}"
    if (case.status == HTTPStatus.CREATED) != (LOCATION.fullmatch(location or "") is not None):
        yield f"Location is {location}"


def settled(part: dict[str, Any]) -> Body:
    """Put one value for what may vary in an object of the answer's JSON.

    The title of 422 is Unprocessable Entity before Python 3.13, and the Python of the gateway need not be
    this one. How many there are of a product depends on how many were ordered; never so few are left that
    anything else does.
    """
    for name, pattern in VARYING.items():
        if isinstance(part.get(name), str) and pattern.fullmatch(part[name]):
            part[name] = SOME
    if part.get("title") == "Unprocessable Entity":
        part["title"] = "Unprocessable Content"
    level = part.get("stock_level")
    if part.get("product_id") == "prod-456" and type(level) is int and CHEAP_UP_TO < level <= SEEDED:
        part["stock_level"] = SOME
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
        self._again = {case.name: cycle((True, False, False, False)) for case in self.cases}

    @task
    def call(self) -> None:
        """Send the next case, and sometimes once more."""
        case = next(self._deck)
        if not case.writes:
            self.send(case)
            return
        key = uuid.uuid4().hex
        before = self.send(case, key)
        if before is not None and next(self._again[case.name]):
            self.send(again(case), key, before)

    def send(self, case: Case, key: str | None = None, before: Sent | None = None) -> Sent | None:
        """Send *case* under *key*; give what came, if it is what must come."""
        headers = case.headers if key is None else {**case.headers, "Idempotency-Key": key}
        with self.client.request(
            case.method, case.path, name=case.title, json=case.sent, headers=headers, catch_response=True
        ) as answer:
            wrong = sorted(differences(answer, case, before))
            if wrong:
                answer.failure("; ".join(wrong))
                return None
            answer.success()
            return Sent(answer.text or "", answer.headers.get("Location"))


def again(case: Case) -> Case:
    """Make the case of a request that is sent a second time."""
    return replace(case, name=f"{case.name}, again")


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


def refused(name: str, path: str, sent: Body | None, problem: Body, **more: Any) -> Case:  # noqa: ANN401 - of Case
    """Make the case of a request that comes to *problem*."""
    body = {**problem, "instance": path, "request_id": SOME}
    return Case(name, path, sent, problem["status"], body, **more)


def undone(name: str, path: str, sent: Body, problem: Body, **more: Any) -> Case:  # noqa: ANN401 - of Case
    """Make the case of a request that comes to *problem* while it writes, and whose writes are undone."""
    return refused(name, path, sent, {**problem, "execution_id": SOME}, writes=True, **more)


def invalid(field: str, message: str) -> Body:
    """Write the problem of a request of which one field is wrong."""
    violations = [{"field": field, "messages": [message]}]
    return part(422, "Unprocessable Content", "invalid", "The request is not valid", violations=violations)


USER: Final = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
STOCK: Final = {"product_id": "prod-456", "stock_level": SOME, "available": True, "unit_price": "49.99"}
PAYMENT: Final = {"payment_id": "pm-789", "is_valid": True}
SAFE: Final = {"is_safe": True, "risk_level": "Low"}
SHIPPING: Final = {"carrier": "USPS", "rate": "12.99"}

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
BLANK: Final = invalid("address", "must not be blank")


def suspicious(source: str) -> Body:
    """Write the problem of whoever may not buy."""
    detail = "Suspicious transaction detected: high-risk user"
    return part(403, "Forbidden", "forbidden", detail, source=source)


def both(*errors: Body) -> Body:
    """Write the problem of two failures at once."""
    return part(207, "Multi-Status", "aggregate", "2 calls failed", completed=False, errors=errors)


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
        "user": USER,
        "inventory": STOCK,
        "payment": PAYMENT,
        "fraud_check": SAFE,
        "shipping": SHIPPING,
        **amounts,
    }


class LuckyShopper(Caller):
    """Nine in ten look at something that can be had."""

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
    """One in ten looks at something that cannot be had."""

    weight = 1
    cases = (
        refused("unknown user", CHECKOUT, order(user_id="nonexistent-user"), NO_USER),
        refused("out of stock", CHECKOUT, order(product_id="prod-out-of-stock"), NO_STOCK),
        refused("payment expired", CHECKOUT, order(payment_id="pm-expired"), EXPIRED),
        refused("high-risk user", CHECKOUT, order(user_id="user-high-risk"), suspicious("fraud.assess")),
        refused(
            "two failures at once",
            CHECKOUT,
            order(user_id="nonexistent-user", product_id="prod-out-of-stock"),
            both(NO_USER, NO_STOCK),
        ),
        refused("blank address", CHECKOUT, order(address=" "), BLANK),
    )


POSTS: Final = {
    "post-101": ("user-123", "en", "My new keyboard has arrived."),
    "post-201": ("user-456", "en", "First frost on the allotment this morning."),
    "post-202": ("user-456", "de", "Heute früh lag der erste Reif im Garten."),
    "post-301": ("user-789", "en", "The night train to Vienna runs again."),
    "post-302": ("user-789", "de", "Der Nachtzug nach Wien fährt wieder."),
    "post-401": ("user-high-risk", "en", "Ten chess problems for the weekend."),
    "post-402": ("user-high-risk", "de", "Zehn Schachprobleme fürs Wochenende."),
}


def posts(*ids: str) -> Sequence[Body]:
    """Write posts."""
    fields = ("author_id", "language", "text")
    return [{"post_id": post_id, **dict(zip(fields, POSTS[post_id], strict=True))} for post_id in ids]


def feed(name: str, user_id: str, **body: object) -> Case:
    """Make the case of the feed of a user."""
    return Case(name, f"/feed/{user_id}", None, 200, {**body, "degraded": []}, method="GET")


class Reader(Caller):
    """Somebody who reads feeds."""

    weight = 3
    cases = (
        feed(
            "everything",
            "user-123",
            profile=USER,
            friends=[{"user_id": "user-456"}, {"user_id": "user-789"}],
            settings={"languages": ["en", "de"], "show_recommendations": True},
            posts=posts("post-201", "post-202", "post-301", "post-302"),
            notifications=[
                {"notification_id": f"notification-{number}", "from_user_id": friend, "text": text}
                for number, friend, text in (
                    (2, "user-456", "has liked your post"),
                    (3, "user-789", "has commented on your post"),
                    (4, "user-789", "is on the way to Vienna"),
                )
            ],
            engagement={
                "post-201": {"likes": 28, "comments": 4},
                "post-202": {"likes": 35, "comments": 0},
                "post-301": {"likes": 9, "comments": 2},
                "post-302": {"likes": 16, "comments": 3},
            },
            recommended=posts("post-401", "post-402"),
        ),
        feed(
            "no friends",
            "user-789",
            profile={"user_id": "user-789", "email": "user789@example.com", "is_active": True},
            friends=[],
            settings={"languages": ["en"], "show_recommendations": True},
            posts=[],
            notifications=[],
            engagement={},
            recommended=posts("post-101", "post-201", "post-401"),
        ),
        refused("unknown user", "/feed/nonexistent-user", None, NO_USER, method="GET"),
    )


TRANSFERS: Final = "/transfers"


def transfer(source: str, destination: str) -> Body:
    """Move a dollar."""
    return {"from_account": source, "to_account": destination, "amount": "1.00", "currency": "USD"}


def moved(name: str, source: str, destination: str) -> Case:
    """Make the case of a transfer that goes well."""
    body = {
        "transfer_id": SOME,
        "status": "completed",
        "from_account": {"account_id": source, "balance": SOME},
        "to_account": {"account_id": destination, "balance": SOME},
        "amount": "1.00",
        "currency": "USD",
        "fraud_check": SAFE,
        "compliance_check": {"is_compliant": True},
    }
    return Case(name, TRANSFERS, transfer(source, destination), 201, body, weight=3, writes=True)


NO_FUNDS: Final = part(409, "Conflict", "conflict", "Insufficient funds", source="accounts.fetch")
NO_ACCOUNT: Final = part(
    404, "Not Found", "not-found", "Account not found: nonexistent", source="accounts.post"
)
SANCTIONED: Final = part(
    403,
    "Forbidden",
    "forbidden",
    "Compliance: destination account is sanctioned",
    source="fraud.check_compliance",
)


class Payer(Caller):
    """Somebody who moves as much money there as back."""

    weight = 2
    cases = (
        moved("there", "acc-001", "acc-002"),
        moved("back", "acc-002", "acc-001"),
        refused("no funds", TRANSFERS, transfer("acc-empty", "acc-002"), NO_FUNDS),
        refused("sanctioned", TRANSFERS, transfer("acc-001", "acc-sanctioned"), SANCTIONED),
        undone("unknown destination", TRANSFERS, transfer("acc-001", "nonexistent"), NO_ACCOUNT),
        refused(
            "to itself",
            TRANSFERS,
            transfer("acc-001", "acc-001"),
            invalid("to_account", "must be another account than from_account"),
        ),
    )


PURCHASES: Final = "/purchases"
TOKEN: Final = {"Authorization": "Bearer token-user-123"}
OTHERS: Final = {"Authorization": "Bearer token-user-456"}
NO_TOKEN: Final = part(
    401,
    "Unauthorized",
    "unauthorized",
    "A bearer token is required, in the header Authorization: Bearer TOKEN",
)
NOT_OWN: Final = part(
    403, "Forbidden", "forbidden", "The token belongs to another user", source="auth.verify"
)


def purchase(product_id: str = "prod-456") -> Body:
    """Buy a piece of something."""
    return {"user_id": "user-123", "product_id": product_id, "quantity": 1}


class Buyer(Caller):
    """Somebody who buys, which puts nothing aside."""

    weight = 2
    cases = (
        Case(
            "one piece",
            PURCHASES,
            purchase(),
            201,
            {
                "order": {"order_id": SOME, "status": "created"},
                "user": USER,
                "inventory": STOCK,
                "notification": {"notification_id": SOME},
                "analytics": {"event_id": SOME},
                "degraded": [],
            },
            weight=4,
            headers=TOKEN,
            writes=True,
        ),
        undone("out of stock", PURCHASES, purchase("prod-out-of-stock"), NO_STOCK, headers=TOKEN),
        refused("no token", PURCHASES, purchase(), NO_TOKEN),
        refused("somebody else's token", PURCHASES, purchase(), NOT_OWN, headers=OTHERS),
    )


class Shelf:
    """How many of prod-456 can still be put aside, at the least, so that all others find enough of it.

    What `told` hears was true when it was asked for: what has been taken since, or was about to be, is gone.
    """

    LEFT_FOR_OTHERS: Final = 60

    def __init__(self) -> None:
        self._free = 0
        self._taken = 0
        self.put_aside = 0

    def take(self) -> bool:
        """Take one, if there is one."""
        if self._free <= 0:
            return False
        self._free -= 1
        self._taken += 1
        return True

    def told(self, level: int, put_aside_before: int) -> None:
        """Hear that there were *level*, when it was known of so many that they had been put aside."""
        self._free = level - self.LEFT_FOR_OTHERS - (self._taken - put_aside_before)


SHELF: Final = Shelf()
ORDERS: Final = "/orders"
ONE_PIECE: Final = Case(
    "one piece",
    ORDERS,
    order(),
    201,
    {
        "order_id": SOME,
        "status": "confirmed",
        "user": USER,
        "inventory": STOCK,
        "payment": PAYMENT,
        "fraud_check": SAFE,
        "shipping": SHIPPING,
        "reservation": {"reservation_id": SOME, "is_reserved": True, "quantity": 1},
        "total": "62.98",
    },
)
TOO_MANY: Final = refused(
    "more than there are",
    ORDERS,
    order(quantity=SEEDED + 1),
    part(409, "Conflict", "conflict", SOME, source="inventory.check"),
)
OTHER_BODY: Final = refused(
    "another order under its key",
    ORDERS,
    order(quantity=2),
    part(
        422,
        "Unprocessable Content",
        "idempotency-mismatch",
        "This Idempotency-Key was used for another request",
    ),
)


class Orderer(Caller):
    """Somebody who orders, as long as enough is left for others, and then orders again what was ordered."""

    weight = 2
    cases = (
        refused("unknown user", ORDERS, order(user_id="nonexistent-user"), NO_USER),
        refused("payment expired", ORDERS, order(payment_id="pm-expired"), EXPIRED),
        refused(
            "two failures at once",
            ORDERS,
            order(user_id="user-high-risk", payment_id="pm-expired"),
            both(EXPIRED, suspicious("fraud.screen")),
        ),
        refused("blank address", ORDERS, order(address=" "), BLANK),
    )

    def on_start(self) -> None:
        """Have nothing ordered yet."""
        super().on_start()
        self._ordered = deque[tuple[str, Sent]](maxlen=20)

    @task(4)
    def order(self) -> None:
        """Order one if there is one to be had, else one of those that were ordered."""
        if SHELF.take():
            key = uuid.uuid4().hex
            before = self.send(ONE_PIECE, key)
            SHELF.put_aside += 1
            if before is not None:
                self._ordered.append((key, before))
        elif self._ordered:
            self._ordered.rotate()
            self.send(again(ONE_PIECE), *self._ordered[0])

    @task(1)
    def order_too_many(self) -> None:
        """Order more than there are, which tells how many there are."""
        put_aside = SHELF.put_aside
        answer = self.send(TOO_MANY)
        if answer is not None:
            *_, level, _ = json.loads(answer.text)["detail"].split()
            SHELF.told(int(level), put_aside)

    @task(1)
    def order_otherwise(self) -> None:
        """Order something else under the key of what was ordered."""
        if self._ordered:
            key, _ = self._ordered[0]
            self.send(OTHER_BODY, key)
