"""Outcome of one attempt of a call: its result, and what it shows about the service's health."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, final

from gateway.railway import Failure, Result

__all__ = ("AttemptOutcome", "HealthSignal")

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


class HealthSignal(Enum):
    """What one attempt shows about the health of its service."""

    HEALTHY = "healthy"
    """The service processed the request, even if it refused it. A retry is pointless."""

    UNHEALTHY = "unhealthy"
    """The service was unreachable or silent for its timeout, or its answer was a server error or unusable."""

    NONE = "none"
    """Nothing: the caller cut the attempt short, or the service limits its callers (429)."""


@final
@dataclass(frozen=True, slots=True)
class AttemptOutcome(Generic[T_co, E_co]):
    """The *result* of an attempt, and the *signal* for the circuit breaker."""

    result: Result[T_co, E_co]
    signal: HealthSignal
