"""Circuit breaker for one upstream service.

A closed breaker admits every attempt. It opens when too many recent attempts failed, and then admits none for
a pause. After the pause it is half open: it admits a few probes, and closes if all of them succeed.

https://martinfowler.com/bliki/CircuitBreaker.html
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import final

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.terms import BreakerTerms

__all__ = ("BreakerState", "CircuitBreaker")


class BreakerState(Enum):
    """State of a circuit breaker, which decides the attempts that it admits."""

    CLOSED = "closed"
    """Every attempt is admitted."""

    OPEN = "open"
    """No attempt is admitted."""

    HALF_OPEN = "half-open"
    """A few attempts are admitted, as probes."""


@final
class CircuitBreaker:
    """Circuit breaker that rejects attempts after too many recent failures.

    It avoids two faults of other circuit breakers. Attempts without evidence about the service, such as
    cancelled attempts, do not count as failures. And a half-open breaker admits a bounded number of probes,
    not every waiting caller. When a probe ends without evidence, another probe is admitted in its place.

    Each change of state starts a new generation. The outcome of an attempt from an earlier generation is
    ignored.

    *on_change* is called with every new state. The call for half-open is made when the first probe is
    admitted, not when the pause ends. Times are in seconds, on the running event loop's clock.
    """

    def __init__(self, terms: BreakerTerms, on_change: Callable[[BreakerState], None]) -> None:
        self._terms = terms
        self._on_change = on_change
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._recent: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probes_in_flight = 0
        self._probes_succeeded = 0

    @property
    def state(self) -> BreakerState:
        """Return the state; after its pause an open breaker is half open, even if no attempt is made."""
        is_pause_over = self._state is BreakerState.OPEN and self._pause_left <= 0
        return BreakerState.HALF_OPEN if is_pause_over else self._state

    @property
    def has_failed_recently(self) -> bool:
        """True if the breaker is open, or has been half open for less than `BreakerTerms.window`.

        A breaker that stays half open for longer may only mean that nothing called the service.
        """
        return self._state is not BreakerState.CLOSED and self._pause_left > -self._terms.window

    @property
    def retry_after(self) -> float:
        """Return the seconds until an attempt may be made; 0 if it may be made now.

        While all probes are in flight, return the length of the last pause, since their end is unknown.
        """
        state = self.state
        if state is BreakerState.OPEN:
            return self._pause_left
        if state is BreakerState.HALF_OPEN and not self._has_probe_left:
            return self._pause
        return 0.0

    def admit(self) -> int | None:
        """Admit an attempt and return the current generation; return None if the attempt is rejected.

        An admitted attempt must be recorded with `record`, however it ends.
        """
        state = self.state
        is_half_open = state is BreakerState.HALF_OPEN
        if state is BreakerState.OPEN or (is_half_open and not self._has_probe_left):
            return None
        if state is not self._state:
            self._change_to(state)
        self._probes_in_flight += is_half_open
        return self._generation

    def record(self, generation: int, signal: HealthSignal) -> None:
        """Record the *signal* of an attempt that was admitted in *generation*.

        If that generation is over, ignore the signal.
        """
        if generation != self._generation:
            return
        if self._state is BreakerState.HALF_OPEN:
            self._record_probe(signal)
        elif signal is not HealthSignal.NONE:
            self._record_attempt(is_failure=signal is HealthSignal.UNHEALTHY)

    @property
    def _pause_left(self) -> float:
        return self._open_until - asyncio.get_running_loop().time()

    @property
    def _has_probe_left(self) -> bool:
        return self._probes_in_flight + self._probes_succeeded < self._terms.probes

    def _record_probe(self, signal: HealthSignal) -> None:
        self._probes_in_flight -= 1
        self._probes_succeeded += signal is HealthSignal.HEALTHY
        if signal is HealthSignal.UNHEALTHY:
            self._open(2 * self._pause)
        elif self._probes_succeeded == self._terms.probes:
            self._change_to(BreakerState.CLOSED)

    def _record_attempt(self, *, is_failure: bool) -> None:
        now = asyncio.get_running_loop().time()
        recent, terms = self._recent, self._terms
        recent.append((now, is_failure))
        self._failures += is_failure
        while len(recent) > terms.volume or recent[0][0] <= now - terms.window:
            self._failures -= recent.popleft()[1]
        if len(recent) >= terms.minimum and self._failures >= terms.failure_rate * len(recent):
            self._open(terms.pause)

    def _open(self, pause: float) -> None:
        self._pause = min(pause, self._terms.max_pause)
        self._open_until = asyncio.get_running_loop().time() + self._pause
        self._change_to(BreakerState.OPEN)

    def _change_to(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._recent.clear()
        self._failures = self._probes_in_flight = self._probes_succeeded = 0
        self._on_change(state)
