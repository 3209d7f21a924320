"""The documented outcomes of orders that are sent twice with the same idempotency key."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import REPLAY, Problem, accepted_commit, failed_commit, failure
from gateway.cli.demo.scenario import Fault, Request, Scenario
from gateway.cli.demo.scenarios.orders import (
    CHECKED,
    CONFIRMED,
    ORDERS,
    REFUSE_RESERVATION,
    RESERVATION_REFUSED,
    RESERVED,
    order,
)

__all__ = ("SCENARIOS", "TWICE")

TWICE: Final = replace(ORDERS, name="orders sent twice with one Idempotency-Key")

twice: Final = partial(Scenario, TWICE)


def order_with_key(key: str, **changes: str | int) -> Request:
    """Build an order with the idempotency key *key*, and with *changes* to its fields."""
    return order({"Idempotency-Key": key}, **changes)


def order_with_short_deadline(key: str) -> Request:
    """Build an order with the idempotency key *key*, whose deadline passes during its commit."""
    return order({"Idempotency-Key": key, "X-Request-Timeout-Ms": "850"})


UNAVAILABLE: Final = Problem(503, "unavailable", "payments.validate")
MISMATCH: Final = Problem(422, "idempotency-mismatch")

# Three times, because a call makes at most three attempts: the second request must succeed.
BREAK_PAYMENT: Final = Fault("payment", "/payments", "status", times=3)
# Longer than the short deadline, shorter than the timeout of an attempt.
SLOW_RESERVATION: Final = Fault("inventory", "/reservations", "latency", "POST", latency_ms=900)

SCENARIOS: Final[Sequence[Scenario]] = (
    twice(
        "same request",
        order_with_key("one"),
        REPLAY,
        ORDERS.calls,
        first=(order_with_key("one"), CONFIRMED),
        changes=RESERVED,
    ),
    twice(
        "different request",
        order_with_key("two", quantity=2),
        failure(MISMATCH),
        ORDERS.calls,
        first=(order_with_key("two"), CONFIRMED),
        changes=RESERVED,
    ),
    twice(
        "commit failed",
        order_with_key("three"),
        REPLAY,
        ORDERS.calls,
        first=(order_with_key("three"), failed_commit(RESERVATION_REFUSED)),
        faults=(replace(REFUSE_RESERVATION, times=1),),
    ),
    twice(
        "failed before commit",
        order_with_key("four"),
        CONFIRMED,
        (*CHECKED, *ORDERS.calls),
        first=(order_with_key("four"), failure(UNAVAILABLE)),
        faults=(BREAK_PAYMENT,),
        changes=RESERVED,
    ),
    twice(
        "commit outlasts deadline",
        order_with_key("five"),
        replace(CONFIRMED, headers={**CONFIRMED.headers, "Idempotent-Replayed": "true"}),
        ORDERS.calls,
        first=(order_with_short_deadline("five"), accepted_commit("orders")),
        faults=(SLOW_RESERVATION,),
        changes=RESERVED,
    ),
)
"""The scenarios, in the order in which they are played."""
