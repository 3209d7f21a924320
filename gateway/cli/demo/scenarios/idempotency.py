"""What an Idempotency-Key does to orders."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import AGAIN, Problem, alone, running, undone
from gateway.cli.demo.scenario import Fault, Request, Scenario
from gateway.cli.demo.scenarios.orders import CHECKED, CONFIRMED, ORDERS, REFUSED, REFUSES, RESERVED, order

__all__ = ("SCENARIOS", "TWICE")

TWICE: Final = replace(ORDERS, name="orders sent twice with one Idempotency-Key")

twice: Final = partial(Scenario, TWICE)


def keyed(key: str, **changes: str | int) -> Request:
    """Order under *key*, with *changes*."""
    return order({"Idempotency-Key": key}, **changes)


def impatient(key: str) -> Request:
    """Order under *key*, and wait less than it takes."""
    return order({"Idempotency-Key": key, "X-Request-Timeout-Ms": "850"})


DEAD: Final = Problem(503, "unavailable", "payments.validate")
MISMATCH: Final = Problem(422, "idempotency-mismatch")

# All that is made of one call: the second request is to go well.
FAILS: Final = Fault("payment", "/payments", "status", times=3)
# Longer than the impatient wait, and within the time that one attempt has.
SLOW: Final = Fault("inventory", "/reservations", "latency", "POST", latency_ms=900)

SCENARIOS: Final[Sequence[Scenario]] = (
    twice("the same", keyed("one"), AGAIN, ORDERS.calls, first=(keyed("one"), CONFIRMED), left=RESERVED),
    twice(
        "something else",
        keyed("two", quantity=2),
        alone(MISMATCH),
        ORDERS.calls,
        first=(keyed("two"), CONFIRMED),
        left=RESERVED,
    ),
    twice(
        "failed writing",
        keyed("three"),
        AGAIN,
        ORDERS.calls,
        first=(keyed("three"), undone(REFUSED)),
        faults=(replace(REFUSES, times=1),),
    ),
    twice(
        "failed earlier",
        keyed("four"),
        CONFIRMED,
        (*CHECKED, *ORDERS.calls),
        first=(keyed("four"), alone(DEAD)),
        faults=(FAILS,),
        left=RESERVED,
    ),
    twice(
        "a slow one",
        keyed("five"),
        replace(CONFIRMED, headers={**CONFIRMED.headers, "Idempotent-Replayed": "true"}),
        ORDERS.calls,
        first=(impatient("five"), running("orders")),
        faults=(SLOW,),
        left=RESERVED,
    ),
)
"""In the order in which they are played."""
