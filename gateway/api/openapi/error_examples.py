"""Example errors, by class and for planned calls."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from gateway.client.messages import describe_fault
from gateway.plan.plan import PlannedCall
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
    UpstreamFault,
)

__all__ = ("EXAMPLES", "build_refusal", "build_stuck", "build_upstream_fault")

EXAMPLES: Final[Mapping[type[Failure], Fault]] = MappingProxyType(
    {
        type(error): error
        for error in (
            Invalid(
                "The service does not accept this value",
                violations=(("", ("The service does not accept this value",)),),
            ),
            Unauthorized("The token has expired"),
            Forbidden("The caller is not allowed to do this"),
            NotFound("Not found: some-id"),
            Conflict("The current state does not allow this"),
            Gone("No longer available: some-id"),
            PreconditionFailed("The resource has changed since it was read"),
            RateLimited("Too many requests", retry_after=1.0),
            Unexpected(fault="6f1d0a3c5b7e4f0e9a2c8d4b1e7f3a5c"),
            Stuck("Some writes could not be undone: service.operation"),
            BadAnswer(describe_fault(BadAnswer, "upstream")),
            Unavailable(describe_fault(Unavailable, "upstream")),
            TimedOut(describe_fault(TimedOut, "upstream")),
        )
    }
)
"""An error of each class in `Fault`, without a source."""


def build_refusal(kind: type[Failure], call: PlannedCall) -> Fault:
    """Return an error of class *kind* for a refusal of *call*, as if the service had sent no reason."""
    detail = f"{call.name} was refused: {kind.code.replace('-', ' ')}"
    refusal = replace(EXAMPLES[kind], detail=detail, source=call.name)
    return replace(refusal, violations=(("", (detail,)),)) if isinstance(refusal, Invalid) else refusal


def build_upstream_fault(kind: type[Failure], call: PlannedCall) -> Fault:
    """Return a fault of class *kind* in *call*, with the detail that clients get.

    Raise `TypeError` unless *kind* is a class of `UpstreamFault`.
    """
    name = call.service or call.name.partition(".")[0]
    fault = EXAMPLES[kind]
    if not isinstance(fault, UpstreamFault):
        msg = f"{kind.__name__} is not an UpstreamFault"
        raise TypeError(msg)
    return replace(fault, detail=describe_fault(type(fault), name), source=call.name)


def build_stuck(write: PlannedCall) -> Stuck:
    """Return the error for a commit in which *write* could not be undone."""
    return Stuck(f"Some writes could not be undone: {write.name}")
