"""Seed data of the mock services as the gateway returns it, order bodies, and the expected problems."""

from typing import Final

from load.case import ANY, Body, Json
from load.order_budget import PRODUCT
from load.problems import Problem, conflict, forbidden, invalid_field, not_found, violation

__all__ = (
    "BLANK_ADDRESS",
    "OUT_OF_STOCK",
    "PAYMENT",
    "PAYMENT_EXPIRED",
    "SAFE",
    "SHIPPING",
    "STOCK",
    "USER",
    "USER_NOT_FOUND",
    "high_risk_user",
    "order_body",
    "priced_body",
)

USER: Final[Body] = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
STOCK: Final[Body] = {
    "product_id": PRODUCT,
    "stock_level": ANY,
    "available": True,
    "unit_price": "49.99",
}
PAYMENT: Final[Body] = {"payment_id": "pm-789", "is_valid": True}
SAFE: Final[Body] = {"is_safe": True, "risk_level": "Low"}
SHIPPING: Final[Body] = {"carrier": "USPS", "rate": "12.99"}

USER_NOT_FOUND: Final = not_found("User not found: nonexistent-user", "users.fetch")
OUT_OF_STOCK: Final = conflict("Out of stock: product is unavailable", "inventory.check")
PAYMENT_EXPIRED: Final = violation("Payment method expired", "payments.validate", "payment_id")
BLANK_ADDRESS: Final = invalid_field("address", "must not be blank")


def high_risk_user(source: str) -> Problem:
    """Return the gateway's problem for a high-risk user that the fraud check *source* refuses."""
    return forbidden("Suspicious transaction detected: high-risk user", source)


def order_body(**changes: Json) -> Body:
    """Return the body of a valid checkout or order, with *changes* to its fields."""
    return {
        "user_id": "user-123",
        "product_id": PRODUCT,
        "payment_id": "pm-789",
        "address": "123 Main St",
        **changes,
    }


def priced_body(**amounts: Json) -> Body:
    """Return the response body for a valid checkout or order; *amounts* depend on the request."""
    return {
        "user": USER,
        "inventory": STOCK,
        "payment": PAYMENT,
        "fraud_check": SAFE,
        "shipping": SHIPPING,
        **amounts,
    }
