"""Requests of the storms."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final

__all__ = (
    "CHECKOUT",
    "FEED",
    "FOREIGN_PURCHASE",
    "INVALID_CHECKOUT",
    "ORDER",
    "PURCHASE",
    "REFUSED_CHECKOUT",
    "REFUSED_ORDER",
    "REFUSED_TRANSFER",
    "UNKNOWN_FEED",
    "UNKNOWN_PATH",
    "Request",
    "generate_transfers",
)

_BUYER: Final = {"user_id": "user-123", "product_id": "prod-456"}
_ORDER: Final = {**_BUYER, "payment_id": "pm-789", "address": "123 Main St"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request; *name* identifies its kind. After *disconnect_after* seconds, the client disconnects."""

    name: str
    method: str
    path: str
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    disconnect_after: float | None = None

    def with_disconnect(self, seconds: float) -> "Request":
        """Return the request of a client that disconnects after *seconds*."""
        return replace(self, disconnect_after=seconds)

    def with_key(self, key: str) -> "Request":
        """Return the request with an idempotency key."""
        return replace(self, headers={**self.headers, "idempotency-key": key})


def _post(path: str, body: Mapping[str, object], name: str = "", **headers: str) -> Request:
    content = json.dumps(body).encode()
    return Request(name or path, "POST", path, content, {"content-type": "application/json", **headers})


CHECKOUT: Final = _post("/checkout", _ORDER)
REFUSED_CHECKOUT: Final = _post("/checkout", _ORDER | {"user_id": "nonexistent-user"}, "refused checkout")
INVALID_CHECKOUT: Final = _post("/checkout", {"user_id": 7}, "invalid checkout")
FEED: Final = Request("/feed", "GET", "/feed/user-123")
UNKNOWN_PATH: Final = Request("unknown path", "GET", "/nowhere")
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


def generate_transfers() -> Iterator[Request]:
    """Yield transfers back and forth between two accounts, forever, each with its own reference."""
    accounts = ("acc-001", "acc-002")
    for number in count():
        source, destination = accounts if number % 2 == 0 else reversed(accounts)
        name = f"transfer {number}"
        terms = {"from_account": source, "to_account": destination, "amount": "0.01", "currency": "USD"}
        yield _post("/transfers", {**terms, "reference": name}, name)
