"""Circuit breaker for the connections to the host of a service, shared by the operations of the service."""

from collections.abc import Callable
from typing import Final, final

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.circuit_breaker import BreakerState, CircuitBreaker
from gateway.resilience.terms import BreakerTerms

__all__ = ("HostBreaker",)

_HEALTHY: Final = HealthSignal.HEALTHY


@final
class HostBreaker:
    """Circuit breaker that rejects the attempts of all operations while their host cannot be connected to.

    A failure is a connection that cannot be made, or that is lost before an answer begins. Any answer is
    a success, and so is silence on a connection. A lost connection counts only if those of two operations
    have been lost within `BreakerTerms.window`: a single operation that closes its connections is at fault
    itself, and has its own breaker.

    Successes are counted only while there are recent failures. So a host that fails after a long time
    without failures is noticed as soon as any other, and a healthy host costs next to nothing.

    The underlying *breaker* admits the attempts; `record` is called in place of its own method.
    """

    def __init__(self, terms: BreakerTerms, on_change: Callable[[BreakerState], None]) -> None:
        self._window = terms.window
        self.breaker: Final = CircuitBreaker(terms, on_change)
        self._losses: dict[str, float] = {}

    def record(self, generation: int, operation: str, signal: HealthSignal, now: float) -> None:
        """Record the *signal* of an attempt of *operation* that was admitted in *generation*."""
        evidence = signal if signal is _HEALTHY else self._judge(operation, signal, now)
        if evidence is not _HEALTHY or not self.breaker.is_calm:
            self.breaker.record(generation, evidence, now)

    def _judge(self, operation: str, signal: HealthSignal, now: float) -> HealthSignal:
        """Return the evidence about the host in the *signal* of an attempt of *operation*."""
        match signal:
            case HealthSignal.UNHEALTHY:  # it was connected to the host
                return HealthSignal.HEALTHY
            case HealthSignal.DISCONNECTED if not self._note_loss(operation, now):
                return HealthSignal.NONE
            case _:
                return signal

    def _note_loss(self, operation: str, now: float) -> bool:
        """Note a lost connection of *operation*; return True if another operation has lost one recently."""
        self._losses[operation] = now
        return any(lost > now - self._window and name != operation for name, lost in self._losses.items())
