"""Circuit breaker for one operation of an upstream service, or for its host.

A closed breaker admits every attempt. It opens when too many recent attempts failed, or with
`BreakerTerms.slow_rate` were slow, and then admits none for a pause. After the pause it is half open: it
admits a few probes, and closes if all of them succeed.

https://martinfowler.com/bliki/CircuitBreaker.html
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final, final

from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.terms import BreakerTerms

__all__ = ("BreakerState", "CircuitBreaker")

# Members of an enumeration are slow to look up in Python 3.11.
_HEALTHY: Final = HealthSignal.HEALTHY
_NO_EVIDENCE: Final = (HealthSignal.NONE, HealthSignal.REQUEST_AT_FAULT)


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
        # Plain attribute, and the first check of each method: nearly every attempt finds a closed breaker.
        self.is_closed = True
        self._generation = 0
        self._recent: deque[tuple[float, bool, bool]] = deque()
        self._failures = 0
        self._slow_calls = 0
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
    def is_calm(self) -> bool:
        """Return whether the breaker is closed and none of the recent attempts has failed."""
        return self.is_closed and not self._failures

    @property
    def has_failed_recently(self) -> bool:
        """Return whether the breaker is open, or has been half open for less than `BreakerTerms.window`.

        A breaker that stays half open for longer may only mean that nothing called the service.
        """
        return self._state is not BreakerState.CLOSED and self._pause_left > -self._terms.window

    @property
    def retry_after(self) -> float:
        """Return the seconds until an attempt may be made; 0 if it may be made now.

        While all probes are in flight, return the length of the last pause, since their end is unknown.
        """
        if self.is_closed:
            return 0.0
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
        if self.is_closed:
            return self._generation
        state = self.state
        is_half_open = state is BreakerState.HALF_OPEN
        if state is BreakerState.OPEN or (is_half_open and not self._has_probe_left):
            return None
        if state is not self._state:
            self._change_to(state)
        self._probes_in_flight += is_half_open
        return self._generation

    def record(self, generation: int, signal: HealthSignal, now: float, *, is_slow: bool = False) -> None:
        """Record the *signal* of an attempt that was admitted in *generation*, and has ended *now*.

        If that generation is over, ignore the signal. A probe that *is_slow* has failed.
        """
        if generation != self._generation:
            return
        if self.is_closed:
            if signal not in _NO_EVIDENCE:
                self._record_attempt(now, is_failure=signal is not _HEALTHY, is_slow=is_slow)
            return
        is_success = signal is _HEALTHY and not is_slow
        self._record_probe(is_success=is_success, is_failure=not is_success and signal not in _NO_EVIDENCE)

    @property
    def _pause_left(self) -> float:
        return self._open_until - asyncio.get_running_loop().time()

    @property
    def _has_probe_left(self) -> bool:
        return self._probes_in_flight + self._probes_succeeded < self._terms.probes

    def _record_probe(self, *, is_success: bool, is_failure: bool) -> None:
        self._probes_in_flight -= 1
        self._probes_succeeded += is_success
        if is_failure:
            self._open(2 * self._pause)
        elif self._probes_succeeded == self._terms.probes:
            self._change_to(BreakerState.CLOSED)

    def _record_attempt(self, now: float, *, is_failure: bool, is_slow: bool) -> None:
        recent, terms = self._recent, self._terms
        recent.append((now, is_failure, is_slow))
        self._failures += is_failure
        self._slow_calls += is_slow
        while len(recent) > terms.volume or recent[0][0] <= now - terms.window:
            _, was_failure, was_slow = recent.popleft()
            self._failures -= was_failure
            self._slow_calls -= was_slow
        has_faults = self._failures or self._slow_calls  # the first check: nearly always there are none
        if has_faults and len(recent) >= terms.minimum and self._has_failed_too_often(len(recent)):
            self._open(terms.pause)

    def _has_failed_too_often(self, attempts: int) -> bool:
        terms = self._terms
        return self._failures >= terms.failure_rate * attempts or (
            terms.slow_rate is not None and self._slow_calls >= terms.slow_rate * attempts
        )

    def _open(self, pause: float) -> None:
        self._pause = min(pause, self._terms.max_pause)
        self._open_until = asyncio.get_running_loop().time() + self._pause
        self._change_to(BreakerState.OPEN)

    def _change_to(self, state: BreakerState) -> None:
        self._state = state
        self.is_closed = state is BreakerState.CLOSED
        self._generation += 1
        self._recent.clear()
        self._failures = self._slow_calls = self._probes_in_flight = self._probes_succeeded = 0
        self._on_change(state)
