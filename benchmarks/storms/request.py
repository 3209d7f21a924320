"""The requests that storms are made of."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

__all__ = (
    "CHECKOUT",
    "FEED",
    "FOREIGN_PURCHASE",
    "ORDER",
    "PURCHASE",
    "REFUSED_CHECKOUT",
    "REFUSED_ORDER",
    "REFUSED_TRANSFER",
    "UNKNOWN",
    "UNKNOWN_FEED",
    "WRONG_CHECKOUT",
    "Request",
    "transfers",
)

_BUYER: Final = {"user_id": "user-123", "product_id": "prod-456"}
_ORDER: Final = {**_BUYER, "payment_id": "pm-789", "address": "123 Main St"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request; *name* tells it from others, and whoever *leaves* hangs up after so many seconds."""

    name: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    leaves: float | None = None

    def leaving(self, seconds: float) -> "Request":
        """Give the same by somebody who hangs up."""
        return replace(self, leaves=seconds)

    def under(self, key: str) -> "Request":
        """Give the same, as one that can be sent again under this key."""
        return replace(self, headers={**self.headers, "idempotency-key": key})


def _post(path: str, body: Mapping[str, object], name: str = "", **headers: str) -> Request:
    stated = {"content-type": "application/json", **headers}
    return Request(name or path, "POST", path, json.dumps(body).encode(), stated)


CHECKOUT: Final = _post("/checkout", _ORDER)
REFUSED_CHECKOUT: Final = _post("/checkout", _ORDER | {"user_id": "nonexistent-user"}, "refused checkout")
WRONG_CHECKOUT: Final = _post("/checkout", {"user_id": 7}, "wrong checkout")
FEED: Final = Request("/feed", "GET", "/feed/user-123")
UNKNOWN: Final = Request("unknown", "GET", "/nowhere")
UNKNOWN_FEED: Final = Request("unknown feed", "GET", "/feed/nonexistent-user")
ORDER: Final = _post("/orders", _ORDER)
REFUSED_ORDER: Final = _post("/orders", _ORDER | {"user_id": "nonexistent-user"}, "refused order")
PURCHASE: Final = _post("/purchases", _BUYER, authorization="Bearer token-user-123")

FOREIGN_PURCHASE: Final = _post(
    "/purchases", _BUYER, "foreign purchase", authorization="Bearer token-user-456"
)
REFUSED_TRANSFER: Final = _post(
    "/transfers",
    {"from_account": "acc-empty", "to_account": "acc-001", "amount": "1.00", "currency": "USD"},
    "refused transfer",
)


def transfers() -> Iterator[Request]:
    """Give transfers to and fro for ever, each of which can be told from the others by its reference."""
    accounts = ("acc-001", "acc-002")
    for number in count():
        payer, payee = accounts if number % 2 == 0 else reversed(accounts)
        name = f"transfer {number}"
        terms = {"from_account": payer, "to_account": payee, "amount": "0.01", "currency": "USD"}
        yield _post("/transfers", {**terms, "reference": name}, name)
