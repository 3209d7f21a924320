"""Orders, which take from what there is, and orders that are refused."""

import json
from collections.abc import Sequence
from typing import Final

from load.case import SOME, Case
from load.problems import Problem, both, conflict, refused
from load.seeds import BLANK, EXPIRED, NO_USER, order, priced, suspicious
from load.shelf import SEEDED

__all__ = ("CASES", "ONE_PIECE", "OTHER_BODY", "TOO_MANY", "level_in")

_PATH: Final = "/orders"
_MISMATCH: Final = Problem(
    422,
    "Unprocessable Content",
    "idempotency-mismatch",
    "This Idempotency-Key was used for another request",
)

ONE_PIECE: Final = Case(
    "one piece",
    _PATH,
    order(),
    201,
    priced(
        order_id=SOME,
        status="confirmed",
        reservation={"reservation_id": SOME, "is_reserved": True, "quantity": 1},
        total="62.98",
    ),
    weight=8,
    writes=True,
)
TOO_MANY: Final = refused(
    "more than there are", _PATH, order(quantity=SEEDED + 1), conflict(SOME, "inventory.check"), weight=2
)
"""Tells how many there are."""

OTHER_BODY: Final = refused("another order under its key", _PATH, order(quantity=2), _MISMATCH, weight=2)
"""For the key of an order that was placed."""

CASES: Final[Sequence[Case]] = (
    ONE_PIECE,
    TOO_MANY,
    OTHER_BODY,
    refused("unknown user", _PATH, order(user_id="nonexistent-user"), NO_USER),
    refused("payment expired", _PATH, order(payment_id="pm-expired"), EXPIRED),
    refused(
        "two failures at once",
        _PATH,
        order(user_id="user-high-risk", payment_id="pm-expired"),
        both(EXPIRED, suspicious("fraud.screen")),
    ),
    refused("blank address", _PATH, order(address=" "), BLANK),
)


def level_in(text: str) -> int:
    """Read how many there are in the answer to `TOO_MANY`."""
    *_, level, _ = json.loads(text)["detail"].split()
    return int(level)
