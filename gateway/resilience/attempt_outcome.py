"""Outcome of an attempt: its result, and a signal about the health of the service."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, final

from gateway.railway import Failure, Result

__all__ = ("AttemptOutcome", "HealthSignal")

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


class HealthSignal(Enum):
    """Evidence that an attempt provides about the health of an operation and of the host of its service."""

    HEALTHY = "healthy"
    """The service processed the request, even if by refusing it. A retry is pointless."""

    UNHEALTHY = "unhealthy"
    """The service did not answer in time, or sent a server error or an unusable answer."""

    DISCONNECTED = "disconnected"
    """The connection was lost before the answer began."""

    UNREACHABLE = "unreachable"
    """No connection could be made: no operation of the service can be called."""

    NONE = "none"
    """No evidence: the caller cut the attempt short, or the service limits its callers (429)."""

    REQUEST_AT_FAULT = "request at fault"
    """No evidence: the request could not be built, or its unusual headers may be the cause.

    A retry is pointless.
    """


# Not frozen: a frozen dataclass takes three to four times as long to create, and every attempt creates one.
@final
@dataclass(slots=True)
class AttemptOutcome(Generic[T_co, E_co]):
    """The *result* of an attempt, and the *signal* for the circuit breakers."""

    result: Result[T_co, E_co]
    signal: HealthSignal
