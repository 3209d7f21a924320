"""Purchase cases; purchases do not reserve stock."""

from collections.abc import Sequence
from typing import Final

from load.case import ANY, Body, Case
from load.order_budget import PRODUCT
from load.problems import Problem, failing_case, forbidden, undone_case
from load.seeds import OUT_OF_STOCK, STOCK, USER

__all__ = ("CASES",)

_PATH: Final = "/purchases"
_TOKEN: Final = {"Authorization": "Bearer token-user-123"}
_OTHER_TOKEN: Final = {"Authorization": "Bearer token-user-456"}
_TOKEN_MISSING: Final = Problem(
    401,
    "Unauthorized",
    "unauthorized",
    "A bearer token is required, in the header Authorization: Bearer TOKEN",
)
_WRONG_USER: Final = forbidden("The token belongs to another user", "auth.verify")


def _purchase(product_id: str = PRODUCT) -> Body:
    return {"user_id": "user-123", "product_id": product_id, "quantity": 1}


CASES: Final[Sequence[Case]] = (
    Case(
        "one piece",
        _PATH,
        _purchase(),
        201,
        {
            "order": {"order_id": ANY, "status": "created"},
            "user": USER,
            "inventory": STOCK,
            "notification": {"notification_id": ANY},
            "analytics": {"event_id": ANY},
            "degraded": [],
        },
        weight=4,
        headers=_TOKEN,
        is_write=True,
    ),
    undone_case("out of stock", _PATH, _purchase("prod-out-of-stock"), OUT_OF_STOCK, _TOKEN),
    failing_case("no token", _PATH, _purchase(), _TOKEN_MISSING),
    failing_case("token of another user", _PATH, _purchase(), _WRONG_USER, headers=_OTHER_TOKEN),
)
