"""What one attempt shows of the health of its service."""

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar, final

from gateway.railway import Failure, Result

__all__ = ("Attempted", "Evidence")

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", bound=Failure, covariant=True)


class Evidence(Enum):
    """What one attempt shows of the health of its service."""

    WELL = "well"
    """It has answered what it was asked, be it with a refusal: there is no point in asking again."""

    ILL = "ill"
    """It has not answered though it had the time, or not as a healthy service does."""

    NONE = "none"
    """Nothing: the attempt was cut short by its caller, or declined for reasons of its own."""


@final
@dataclass(frozen=True, slots=True)
class Attempted(Generic[T_co, E_co]):
    """What an attempt came to, and what it shows."""

    result: Result[T_co, E_co]
    evidence: Evidence
