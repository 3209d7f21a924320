"""Purchases, which put nothing aside."""

from collections.abc import Sequence
from typing import Final

from load.case import SOME, Body, Case
from load.problems import Problem, forbidden, refused, undone
from load.seeds import NO_STOCK, STOCK, USER
from load.shelf import PRODUCT

__all__ = ("CASES",)

_PATH: Final = "/purchases"
_OWN: Final = {"Authorization": "Bearer token-user-123"}
_OTHERS: Final = {"Authorization": "Bearer token-user-456"}
_NO_TOKEN: Final = Problem(
    401,
    "Unauthorized",
    "unauthorized",
    "A bearer token is required, in the header Authorization: Bearer TOKEN",
)
_NOT_OWN: Final = forbidden("The token belongs to another user", "auth.verify")


def _purchase(product_id: str = PRODUCT) -> Body:
    return {"user_id": "user-123", "product_id": product_id, "quantity": 1}


CASES: Final[Sequence[Case]] = (
    Case(
        "one piece",
        _PATH,
        _purchase(),
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
        headers=_OWN,
        writes=True,
    ),
    undone("out of stock", _PATH, _purchase("prod-out-of-stock"), NO_STOCK, _OWN),
    refused("no token", _PATH, _purchase(), _NO_TOKEN),
    refused("somebody else's token", _PATH, _purchase(), _NOT_OWN, headers=_OTHERS),
)
