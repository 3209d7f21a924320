"""Order cases: orders that reduce the stock, and orders that fail."""

import json
from collections.abc import Sequence
from typing import Final

from load.case import ANY, Case
from load.order_budget import INITIAL_STOCK
from load.problems import Problem, aggregate, conflict, failing_case
from load.seeds import BLANK_ADDRESS, PAYMENT_EXPIRED, USER_NOT_FOUND, high_risk_user, order_body, priced_body

__all__ = ("CASES", "ONE_PIECE", "OTHER_BODY", "TOO_MANY", "parse_stock_level")

_PATH: Final = "/orders"
_MISMATCH: Final = Problem(
    422,
    "Unprocessable Content",
    "idempotency-mismatch",
    "This Idempotency-Key was used for a different request",
)

ONE_PIECE: Final = Case(
    "one piece",
    _PATH,
    order_body(),
    201,
    priced_body(
        order_id=ANY,
        status="confirmed",
        reservation={"reservation_id": ANY, "is_reserved": True, "quantity": 1},
        total="62.98",
    ),
    weight=8,
    is_write=True,
)
TOO_MANY: Final = failing_case(
    "more than in stock",
    _PATH,
    order_body(quantity=INITIAL_STOCK + 1),
    conflict(ANY, "inventory.check"),
    weight=2,
)
"""The detail of the response contains the stock level."""

OTHER_BODY: Final = failing_case(
    "another order with the same key", _PATH, order_body(quantity=2), _MISMATCH, weight=2
)
"""Sent with the key of an order that was placed."""

CASES: Final[Sequence[Case]] = (
    ONE_PIECE,
    TOO_MANY,
    OTHER_BODY,
    failing_case("unknown user", _PATH, order_body(user_id="nonexistent-user"), USER_NOT_FOUND),
    failing_case("payment expired", _PATH, order_body(payment_id="pm-expired"), PAYMENT_EXPIRED),
    failing_case(
        "two failures at once",
        _PATH,
        order_body(user_id="user-high-risk", payment_id="pm-expired"),
        aggregate(PAYMENT_EXPIRED, high_risk_user("fraud.screen")),
    ),
    failing_case("blank address", _PATH, order_body(address=" "), BLANK_ADDRESS),
)


def parse_stock_level(text: str) -> int:
    """Return the stock level in the response to `TOO_MANY`."""
    *_, level, _ = json.loads(text)["detail"].split()
    return int(level)
