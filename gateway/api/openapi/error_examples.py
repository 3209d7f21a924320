"""Example errors, by class and for planned calls."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Final, cast

from gateway.client.answers.problems import adapt_error
from gateway.client.examples import NoExampleError, build_example
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
    get_family,
    list_members,
)

__all__ = (
    "EXAMPLES",
    "build_generic_error",
    "build_refusal",
    "build_stuck",
    "build_upstream_fault",
    "find_missing_example",
)

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


def find_missing_example(kind: type[Failure]) -> str | None:
    """Return the reason why there is no example of the own error *kind*; None if there is one."""
    try:
        _exemplify_members(kind)
    except NoExampleError as error:
        return str(error)
    return None


def build_generic_error(kind: type[Failure]) -> Fault:
    """Return an error of class *kind* without a source; the detail of an own error is its docstring's start.

    Raise `NoExampleError` if a member of an own error has no example.
    """
    if kind in EXAMPLES:
        return EXAMPLES[kind]
    detail, _, _ = (kind.__doc__ or "").strip().partition("\n")
    return _build_error(kind, detail.rstrip("."), None)


def build_refusal(kind: type[Failure], call: PlannedCall) -> Fault:
    """Return an error of class *kind* for a refusal of *call*, as if the service had sent no reason.

    Raise `NoExampleError` if a member of an own error has no example.
    """
    return _build_error(kind, f"{call.name} was refused: {kind.code.replace('-', ' ')}", call.name)


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


def _build_error(kind: type[Failure], detail: str, source: str | None) -> Fault:
    """Return an error of class *kind* with the members of its family's example, and its own members."""
    family = EXAMPLES[get_family(kind)]
    names = {member.name for member in fields(family)} - {"detail", "source", "violations"}
    members = {name: getattr(family, name) for name in names} | {**_exemplify_members(kind)}
    error = cast("Callable[..., Fault]", kind)(detail, source=source, **members)
    if isinstance(error, Invalid) and not error.violations:
        return replace(error, violations=(("", (detail,)),))
    return error


def _exemplify_members(kind: type[Failure]) -> Mapping[str, object]:
    if not (names := list_members(kind)):
        return {}
    example = build_example(adapt_error(kind))
    return {name: getattr(example, name) for name in names}
