"""Outcome of an attempt: its result, and a signal about the health of the service."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, final

from gateway.railway import Failure, Result

__all__ = ("AttemptOutcome", "HealthSignal")

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


class HealthSignal(Enum):
    """Evidence that an attempt provides about the health of a service."""

    HEALTHY = "healthy"
    """The service processed the request, even if by refusing it. A retry is pointless."""

    UNHEALTHY = "unhealthy"
    """The service was unreachable, did not answer in time, or sent a server error or an unusable answer."""

    NONE = "none"
    """No evidence: the caller cut the attempt short, or the service limits its callers (429)."""


@final
@dataclass(frozen=True, slots=True)
class AttemptOutcome(Generic[T_co, E_co]):
    """The *result* of an attempt, and the *signal* for the circuit breaker."""

    result: Result[T_co, E_co]
    signal: HealthSignal
