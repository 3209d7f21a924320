"""Checkouts: of what can be had, and of what cannot."""

from collections.abc import Sequence
from typing import Final

from load.case import Case
from load.problems import both, refused
from load.seeds import BLANK, EXPIRED, NO_STOCK, NO_USER, order, priced, suspicious

__all__ = ("LUCKY", "UNLUCKY")

_PATH: Final = "/checkout"

LUCKY: Final[Sequence[Case]] = (
    Case(
        "one piece",
        _PATH,
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
        _PATH,
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
UNLUCKY: Final[Sequence[Case]] = (
    refused("unknown user", _PATH, order(user_id="nonexistent-user"), NO_USER),
    refused("out of stock", _PATH, order(product_id="prod-out-of-stock"), NO_STOCK),
    refused("payment expired", _PATH, order(payment_id="pm-expired"), EXPIRED),
    refused("high-risk user", _PATH, order(user_id="user-high-risk"), suspicious("fraud.assess")),
    refused(
        "two failures at once",
        _PATH,
        order(user_id="nonexistent-user", product_id="prod-out-of-stock"),
        both(NO_USER, NO_STOCK),
    ),
    refused("blank address", _PATH, order(address=" "), BLANK),
)
