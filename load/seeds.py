"""What the mock services have, in the words of the gateway, and what is asked of it."""

from typing import Final

from load.case import SOME, Body, Json
from load.problems import Problem, conflict, forbidden, invalid, not_found, violated
from load.shelf import PRODUCT

__all__ = (
    "BLANK",
    "EXPIRED",
    "NO_STOCK",
    "NO_USER",
    "PAYMENT",
    "SAFE",
    "SHIPPING",
    "STOCK",
    "USER",
    "order",
    "priced",
    "suspicious",
)

USER: Final[Body] = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
STOCK: Final[Body] = {
    "product_id": PRODUCT,
    "stock_level": SOME,
    "available": True,
    "unit_price": "49.99",
}
PAYMENT: Final[Body] = {"payment_id": "pm-789", "is_valid": True}
SAFE: Final[Body] = {"is_safe": True, "risk_level": "Low"}
SHIPPING: Final[Body] = {"carrier": "USPS", "rate": "12.99"}

NO_USER: Final = not_found("User not found: nonexistent-user", "users.fetch")
NO_STOCK: Final = conflict("Out of stock: product is unavailable", "inventory.check")
EXPIRED: Final = violated("Payment method expired", "payments.validate")
BLANK: Final = invalid("address", "must not be blank")


def suspicious(source: str) -> Problem:
    """Say that somebody may not buy."""
    return forbidden("Suspicious transaction detected: high-risk user", source)


def order(**changes: Json) -> Body:
    """Order something that can be had, but for *changes*."""
    return {
        "user_id": "user-123",
        "product_id": PRODUCT,
        "payment_id": "pm-789",
        "address": "123 Main St",
        **changes,
    }


def priced(**amounts: Json) -> Body:
    """Write the answer to an order that can be had; *amounts* depend on what was ordered."""
    return {
        "user": USER,
        "inventory": STOCK,
        "payment": PAYMENT,
        "fraud_check": SAFE,
        "shipping": SHIPPING,
        **amounts,
    }
