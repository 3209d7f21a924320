"""Checkout cases: successes and failures."""

from collections.abc import Sequence
from typing import Final

from load.case import Case
from load.problems import aggregate, failing_case
from load.seeds import (
    BLANK_ADDRESS,
    OUT_OF_STOCK,
    PAYMENT_EXPIRED,
    USER_NOT_FOUND,
    high_risk_user,
    order_body,
    priced_body,
)

__all__ = ("FAILURES", "SUCCESSES")

_PATH: Final = "/checkout"

SUCCESSES: Final[Sequence[Case]] = (
    Case(
        "one piece",
        _PATH,
        order_body(),
        200,
        priced_body(
            tax={"rate": "0.0825", "amount": "4.12"},
            discount={"code": None, "amount": "0.00"},
            subtotal="49.99",
            total="67.10",
        ),
        weight=8,
    ),
    Case(
        "three pieces with a discount",
        _PATH,
        order_body(quantity=3, discount_code="SAVE10"),
        200,
        priced_body(
            tax={"rate": "0.0825", "amount": "12.37"},
            discount={"code": "SAVE10", "amount": "15.00"},
            subtotal="149.97",
            total="160.33",
        ),
    ),
)
FAILURES: Final[Sequence[Case]] = (
    failing_case("unknown user", _PATH, order_body(user_id="nonexistent-user"), USER_NOT_FOUND),
    failing_case("out of stock", _PATH, order_body(product_id="prod-out-of-stock"), OUT_OF_STOCK),
    failing_case("payment expired", _PATH, order_body(payment_id="pm-expired"), PAYMENT_EXPIRED),
    failing_case(
        "high-risk user", _PATH, order_body(user_id="user-high-risk"), high_risk_user("fraud.assess")
    ),
    failing_case(
        "two failures at once",
        _PATH,
        order_body(user_id="nonexistent-user", product_id="prod-out-of-stock"),
        aggregate(USER_NOT_FOUND, OUT_OF_STOCK),
    ),
    failing_case("blank address", _PATH, order_body(address=" "), BLANK_ADDRESS),
)
