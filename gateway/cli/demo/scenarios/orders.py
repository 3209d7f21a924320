"""The ways in which an order ends that the contract names."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, alone, executed, several, undone, whole
from gateway.cli.demo.matchers import Due, Like
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario, post
from gateway.cli.dev_stack import ORDER

__all__ = ("CHECKED", "CONFIRMED", "ORDERS", "REFUSED", "REFUSES", "RESERVED", "SCENARIOS", "order")

CORE: Final = ("users.fetch", "inventory.check")
VERIFICATION: Final = ("payments.validate", "fraud.screen")
FULFILMENT: Final = ("shipping.quote", "inventory.reserve")
CHECKED: Final = (*CORE, *VERIFICATION)
ORDERS: Final = Pipeline("orders", (CORE, VERIFICATION, FULFILMENT), ("inventory.release",))
RELEASED: Final = (*ORDERS.calls, *ORDERS.undos)

orders: Final = partial(Scenario, ORDERS)


def order(headers: Mapping[str, str] | None = None, **changes: str | int) -> Request:
    """Order what the example's checkout is about, with *changes*; send *headers*."""
    return post("/orders", json.dumps({**ORDER, **changes}), headers)


RESERVATION: Final[Mapping[str, Due]] = {
    "reservation_id": Like("res-[0-9a-f]+"),
    "is_reserved": True,
    "quantity": 1,
}
CONFIRMED: Final = executed(
    whole(
        201,
        order_id=Like("ord-[0-9a-f]+"),
        status="confirmed",
        reservation=RESERVATION,
        total="62.98",  # 49.99 and 12.99
    )
)
RESERVED: Final[Mapping[str, Due]] = {
    "inventory.stock": {"prod-456": 99, "prod-expensive": 5, "prod-out-of-stock": 0},
    "inventory.reservations": [{"key": Like(".+"), "product_id": "prod-456", **RESERVATION}],
}

NO_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
NO_PAYMENT: Final = Problem(404, "not-found", "payments.validate")
NO_WAY: Final = Problem(422, "invalid", "shipping.quote", (Violation(""),))
GONE: Final = Problem(404, "not-found", "inventory.reserve")
STUCK: Final = Problem(500, "stuck")
TOO_LATE: Final = Problem(503, "unavailable")
NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")
EXPIRED: Final = Problem(422, "invalid", "payments.validate", (Violation(""),))
SUSPICIOUS: Final = Problem(403, "forbidden", "fraud.screen")
REFUSED: Final = Problem(409, "conflict", "inventory.reserve")
NOT_SHIPPED: Final = Problem(503, "unavailable", "shipping.quote")
BLANK: Final = Problem(422, "invalid", violations=(Violation("address"),))

# Less than must be left to begin to write, and more than the checks take.
IMPATIENT: Final = order({"X-Request-Timeout-Ms": "490"})

SLOW_STOCK: Final = Fault("inventory", "/inventory", "latency", latency_ms=400)
REFUSES: Final = Fault("inventory", "/reservations", "status", "POST", status=409)
IS_GONE: Final = replace(REFUSES, status=404)
NOT_THERE: Final = Fault("shipping", "/quotes", "status", status=422)
STAYS: Final = Fault("inventory", "/reservations", "hang", "DELETE")
LOSES: Final = Fault("inventory", "/reservations", "drop_after_write", "POST", times=1)

SCENARIOS: Final[Sequence[Scenario]] = (
    orders("success", order(), CONFIRMED, ORDERS.calls, left=RESERVED),
    orders("out of stock", order(product_id="prod-out-of-stock"), alone(NO_STOCK), CORE),
    orders(
        "unknown product",
        order(product_id="prod-x"),
        alone(NO_PRODUCT),
        CORE,
        cancellable=("users.fetch",),
    ),
    orders(
        "unknown user, slow stock",
        order(user_id="nonexistent-user"),
        alone(NO_USER),
        CORE,
        faults=(SLOW_STOCK,),
        cancelled=("inventory.check",),
    ),
    orders(
        "expired and high-risk",
        order(user_id="user-high-risk", payment_id="pm-expired"),
        several(207, EXPIRED, SUSPICIOUS),
        CHECKED,
    ),
    orders("unknown payment", order(payment_id="pm-x"), alone(NO_PAYMENT), CHECKED),
    orders("high-risk user", order(user_id="user-high-risk"), alone(SUSPICIOUS), CHECKED),
    orders("no time left to write", IMPATIENT, alone(TOO_LATE), CHECKED),
    orders("reservation refused", order(), undone(REFUSED), ORDERS.calls, faults=(REFUSES,)),
    orders("product gone", order(), undone(GONE), ORDERS.calls, faults=(IS_GONE,)),
    orders("address refused", order(), undone(NO_WAY), RELEASED, faults=(NOT_THERE,)),
    orders("shipping is dead", order(), undone(NOT_SHIPPED), RELEASED, dead=("shipping",)),
    orders(
        "stuck",
        order(),
        undone(STUCK),
        RELEASED,
        faults=(STAYS,),
        dead=("shipping",),
        left=RESERVED,
        settings=(("undo_budget_ms", 100),),
    ),
    orders(
        "answer lost once",
        order(),
        CONFIRMED,
        (*ORDERS.calls, "inventory.reserve"),
        faults=(LOSES,),
        left=RESERVED,
    ),
    orders("blank address", order(address=" "), alone(BLANK), ()),
)
"""In the order in which they are played."""
