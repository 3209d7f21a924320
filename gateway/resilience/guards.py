"""Circuit breakers and retry budgets of the operations of one service, for required or for optional calls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, final

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.circuit_breaker import BreakerState, CircuitBreaker
from gateway.resilience.host_breaker import HostBreaker
from gateway.resilience.retry_budget import RetryBudget
from gateway.resilience.terms import PolicyTerms

__all__ = ("Admission", "BreakerStates", "GuardGroup", "Guards")

_NONE: Final = HealthSignal.NONE
_UNREACHABLE: Final = HealthSignal.UNREACHABLE
_SEVERITY: Final = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)


@final
@dataclass(frozen=True, slots=True)
class BreakerStates:
    """States of the circuit breaker of a *host*, and of those of the *operations* called so far, by name."""

    host: BreakerState
    operations: Mapping[str, BreakerState]

    @property
    def worst(self) -> BreakerState:
        """Return the worst state: open, if any breaker is open."""
        return max((self.host, *self.operations.values()), key=_SEVERITY.index)


Admission: TypeAlias = tuple[int, int, float]
"""The generations of both breakers in which an attempt was admitted, and the time."""


@final
class Guards:
    """Circuit breaker and retry *budget* of an *operation*, with the circuit breaker of its *host*.

    An attempt is made only if both breakers admit it. A connection that cannot be made is no evidence about
    the operation: only the breaker of the host counts it.
    """

    __slots__ = ("_operation", "_slow_after", "breaker", "budget", "host")

    def __init__(
        self, operation: str, terms: PolicyTerms, host: HostBreaker, on_change: Callable[[BreakerState], None]
    ) -> None:
        self._operation = operation
        self.host: Final = host
        self._slow_after = None if terms.breaker.slow_rate is None else terms.breaker.slow_after
        self.breaker: Final = CircuitBreaker(terms.breaker, on_change)
        self.budget: Final = RetryBudget(terms.retries)

    @property
    def retry_after(self) -> float:
        """Return the seconds until both breakers admit an attempt; 0 if they admit it now."""
        host, operation = self.host.breaker, self.breaker
        if host.is_closed and operation.is_closed:
            return 0.0
        return max(host.retry_after, operation.retry_after)

    def admit(self, now: float) -> Admission | None:
        """Admit an attempt, or return None; an admitted attempt must be recorded, however it ends."""
        if (in_host := self.host.breaker.admit()) is None:
            return None
        if (in_operation := self.breaker.admit()) is None:
            self.host.breaker.record(in_host, _NONE, now)
            return None
        return in_operation, in_host, now

    def record(self, admission: Admission, signal: HealthSignal, now: float) -> None:
        """Record the *signal* of an attempt that has ended *now*."""
        in_operation, in_host, started = admission
        self.host.record(in_host, self._operation, signal, now)
        is_slow = self._slow_after is not None and now - started >= self._slow_after
        self.breaker.record(in_operation, _NONE if signal is _UNREACHABLE else signal, now, is_slow=is_slow)


@final
class GuardGroup:
    """Guards of the operations of a service, for its required or its optional calls.

    *on_change* is called with every new state of a breaker, and with the name of the breaker's operation, or
    None for the breaker of the host.
    """

    def __init__(self, terms: PolicyTerms, on_change: Callable[[str | None, BreakerState], None]) -> None:
        self._terms = terms
        self._on_change = on_change
        self._host = HostBreaker(terms.breaker, partial(on_change, None))
        self._guards: dict[str, Guards] = {}

    def find(self, operation: str) -> Guards:
        """Return the guards of *operation*, which are made for its first call."""
        guards = self._guards.get(operation)
        if guards is None:
            on_change = partial(self._on_change, operation)
            guards = self._guards[operation] = Guards(operation, self._terms, self._host, on_change)
        return guards

    @property
    def states(self) -> BreakerStates:
        """Return the states of all breakers."""
        operations = {name: guards.breaker.state for name, guards in self._guards.items()}
        return BreakerStates(self._host.breaker.state, operations)

    @property
    def has_failed_recently(self) -> bool:
        """Return whether a breaker is open or was open recently."""
        return self._host.breaker.has_failed_recently or any(
            guards.breaker.has_failed_recently for guards in self._guards.values()
        )
