"""One failure of each kind, as callers of our pipelines meet it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.railway import (
    BadAnswer,
    Conflict,
    Failure,
    Fault,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
)

__all__ = ("EXAMPLES",)

EXAMPLES: Final[Mapping[type[Failure], Fault]] = MappingProxyType(
    {
        type(fault): fault
        for fault in (
            Invalid(
                "Payment method expired",
                source="payments.validate",
                violations=(("", ("Payment method expired",)),),
            ),
            Unauthorized("Token expired", source="auth.verify"),
            Forbidden("Suspicious transaction detected: high-risk user", source="fraud.assess"),
            NotFound("User not found: nonexistent-user", source="users.fetch"),
            Conflict("Out of stock: product is unavailable", source="inventory.check"),
            Gone("Product is not sold any more: prod-123", source="inventory.check"),
            PreconditionFailed("The account has changed", source="accounts.post"),
            RateLimited("Too many requests", source="users.fetch", retry_after=1.0),
            Unexpected(fault="6f1d0a3c5b7e4f0e9a2c8d4b1e7f3a5c"),
            Stuck("What was done could not be undone: inventory.reserve"),
            BadAnswer("inventory answered with something unusable", source="inventory.check"),
            Unavailable("inventory cannot be reached", source="inventory.check", retry_after=2.0),
            TimedOut("inventory did not answer in time", source="inventory.check", budget=1.0),
        )
    }
)
"""By class: every member of `Fault`."""
