"""The documented outcomes of an order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import (
    Problem,
    Violation,
    aggregate,
    failed_commit,
    failure,
    success,
    with_location,
)
from gateway.cli.demo.matchers import ExpectedJson, Matching
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario, post
from gateway.cli.dev_stack import SAMPLE_ORDER

__all__ = (
    "CHECKED",
    "CONFIRMED",
    "ORDERS",
    "REFUSE_RESERVATION",
    "RESERVATION_REFUSED",
    "RESERVED",
    "SCENARIOS",
    "order",
)

CORE: Final = ("users.fetch", "inventory.check")
VERIFICATION: Final = ("payments.validate", "fraud.screen")
FULFILMENT: Final = ("shipping.quote", "inventory.reserve")
CHECKED: Final = (*CORE, *VERIFICATION)
ORDERS: Final = Pipeline("orders", (CORE, VERIFICATION, FULFILMENT), ("inventory.release",))
RELEASED: Final = (*ORDERS.calls, *ORDERS.undos)

orders: Final = partial(Scenario, ORDERS)


def order(headers: Mapping[str, str] | None = None, **changes: str | int) -> Request:
    """Build an order with the fields of the sample checkout, *changes* to them, and additional *headers*."""
    return post("/orders", json.dumps({**SAMPLE_ORDER, **changes}), headers)


RESERVATION: Final[Mapping[str, ExpectedJson]] = {
    "reservation_id": Matching("res-[0-9a-f]+"),
    "is_reserved": True,
    "quantity": 1,
}
CONFIRMED: Final = with_location(
    success(
        201,
        order_id=Matching("ord-[0-9a-f]+"),
        status="confirmed",
        reservation=RESERVATION,
        total="62.98",  # 49.99 and 12.99
    )
)
RESERVED: Final[Mapping[str, ExpectedJson]] = {
    "inventory.stock": {"prod-456": 99, "prod-expensive": 5, "prod-out-of-stock": 0},
    "inventory.reservations": [{"key": Matching(".+"), "product_id": "prod-456", **RESERVATION}],
}

UNKNOWN_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
UNKNOWN_PAYMENT: Final = Problem(404, "not-found", "payments.validate")
ADDRESS_REFUSED: Final = Problem(422, "invalid", "shipping.quote", (Violation(""),))
PRODUCT_GONE: Final = Problem(404, "not-found", "inventory.reserve")
STUCK: Final = Problem(500, "stuck")
TOO_LATE: Final = Problem(503, "unavailable")
UNKNOWN_USER: Final = Problem(404, "not-found", "users.fetch")
OUT_OF_STOCK: Final = Problem(409, "conflict", "inventory.check")
EXPIRED_PAYMENT: Final = Problem(422, "invalid", "payments.validate", (Violation("payment_id"),))
SUSPECTED_FRAUD: Final = Problem(403, "forbidden", "fraud.screen")
RESERVATION_REFUSED: Final = Problem(409, "conflict", "inventory.reserve")
SHIPPING_DOWN: Final = Problem(503, "unavailable", "shipping.quote")
BLANK_ADDRESS: Final = Problem(422, "invalid", violations=(Violation("address"),))

# A deadline shorter than the reserve that a commit needs to start, and longer than the checks take.
SHORT_DEADLINE: Final = order({"X-Request-Timeout-Ms": "490"})

SLOW_STOCK: Final = Fault("inventory", "/inventory", "latency", latency_ms=400)
REFUSE_RESERVATION: Final = Fault("inventory", "/reservations", "status", "POST", status=409)
LOSE_PRODUCT: Final = replace(REFUSE_RESERVATION, status=404)
REFUSE_ADDRESS: Final = Fault("shipping", "/quotes", "status", status=422)
HANGING_RELEASE: Final = Fault("inventory", "/reservations", "hang", "DELETE")
LOSE_RESPONSE_ONCE: Final = Fault("inventory", "/reservations", "drop_after_write", "POST", times=1)

SCENARIOS: Final[Sequence[Scenario]] = (
    orders("success", order(), CONFIRMED, ORDERS.calls, changes=RESERVED),
    orders("out of stock", order(product_id="prod-out-of-stock"), failure(OUT_OF_STOCK), CORE),
    orders(
        "unknown product",
        order(product_id="prod-x"),
        failure(UNKNOWN_PRODUCT),
        CORE,
        cancellable=("users.fetch",),
    ),
    orders(
        "unknown user, slow stock",
        order(user_id="nonexistent-user"),
        failure(UNKNOWN_USER),
        CORE,
        faults=(SLOW_STOCK,),
        cancelled=("inventory.check",),
    ),
    orders(
        "expired and high-risk",
        order(user_id="user-high-risk", payment_id="pm-expired"),
        aggregate(207, EXPIRED_PAYMENT, SUSPECTED_FRAUD),
        CHECKED,
    ),
    orders("unknown payment", order(payment_id="pm-x"), failure(UNKNOWN_PAYMENT), CHECKED),
    orders("high-risk user", order(user_id="user-high-risk"), failure(SUSPECTED_FRAUD), CHECKED),
    orders("too late to commit", SHORT_DEADLINE, failure(TOO_LATE), CHECKED),
    orders(
        "reservation refused",
        order(),
        failed_commit(RESERVATION_REFUSED),
        ORDERS.calls,
        faults=(REFUSE_RESERVATION,),
    ),
    orders("product gone", order(), failed_commit(PRODUCT_GONE), ORDERS.calls, faults=(LOSE_PRODUCT,)),
    orders("address refused", order(), failed_commit(ADDRESS_REFUSED), RELEASED, faults=(REFUSE_ADDRESS,)),
    orders("shipping down", order(), failed_commit(SHIPPING_DOWN), RELEASED, down=("shipping",)),
    orders(
        "stuck",
        order(),
        failed_commit(STUCK),
        RELEASED,
        faults=(HANGING_RELEASE,),
        down=("shipping",),
        changes=RESERVED,
        settings=(("undo_budget_ms", 100),),
    ),
    orders(
        "response lost once",
        order(),
        CONFIRMED,
        (*ORDERS.calls, "inventory.reserve"),
        faults=(LOSE_RESPONSE_ONCE,),
        changes=RESERVED,
    ),
    orders("blank address", order(address=" "), failure(BLANK_ADDRESS), ()),
)
"""The scenarios, in the order in which they are played."""
