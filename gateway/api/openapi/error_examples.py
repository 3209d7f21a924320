"""One failure of each kind, as callers of our pipelines meet it."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import httpx

from gateway.client.response import refusal
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

__all__ = ("EXAMPLES", "fault_of", "refusal_of")

_WITHOUT_A_REASON: Final = httpx.Response(400)

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
            BadAnswer("The inventory service gave an answer that cannot be used", source="inventory.check"),
            Unavailable("The inventory service is unavailable", source="inventory.check", retry_after=2.0),
            TimedOut("The inventory service did not answer in time", source="inventory.check", budget=1.0),
        )
    }
)
"""By class: every member of `Fault`."""


def refusal_of(kind: type[Failure], call: str) -> Fault:
    """Give the refusal of *call* that is of this *kind*: without a reason unless its service's is known."""
    example = EXAMPLES[kind]
    return example if example.source == call else refusal(type(example), "", _WITHOUT_A_REASON, call)


def fault_of(kind: type[Failure], call: str) -> Fault:
    """Give what is said where the service of *call* is at fault, which is a *kind* of `UpstreamFault`."""
    service, _, _ = call.partition(".")
    example = EXAMPLES[kind]
    return replace(example, detail=example.detail.replace("inventory", service), source=call)
