"""Outbound policies for the calls to one upstream service: concurrency limit, circuit breakers, retries."""

import asyncio
import logging
from functools import partial
from typing import Final, Literal, TypeAlias, final

from gateway.railway import RunContext
from gateway.resilience.attempts import Attempts, PolicyCounts
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from gateway.resilience.guards import BreakerStates, GuardGroup
from gateway.resilience.terms import PolicyTerms

__all__ = ("Policies",)

_log: Final = logging.getLogger("gateway.client")

_CallKind: TypeAlias = Literal["required", "optional"]


@final
class Policies:
    """Policies of a *service* for the attempts of its calls, on the given *terms*.

    After a transient failure, a call is retried after a pause: a backoff with full jitter
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), plus the `Retry-After` of the
    service. The call is not retried if the pause would exceed `RetryTerms.max_pause` or reach the deadline,
    if the circuit breaker will still be open after the pause, or if the retry budget is empty. If the retry
    itself is rejected, the call has the outcome of the attempt before.

    All calls share the concurrency limit. Each operation has its own circuit breaker and retry budget, so
    that a failing operation does not keep others from being called; the host of the service has a circuit
    breaker for its connections (`HostBreaker`). For optional calls there is a second set of all of these, so
    that failures of optional calls neither open a breaker nor use up a budget of required calls.
    """

    def __init__(self, service: str, terms: PolicyTerms) -> None:
        self._service = service
        self._retries = terms.retries
        self._limit = ConcurrencyLimit(terms.concurrency)
        self._required = GuardGroup(terms, partial(self._note_change, "required"))
        self._optional = GuardGroup(terms, partial(self._note_change, "optional"))
        self.max_concurrency: Final = terms.concurrency.max_concurrency
        self.counts: Final = PolicyCounts()

    @property
    def breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers of required calls."""
        return self._required.states

    @property
    def optional_breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers of optional calls."""
        return self._optional.states

    @property
    def has_failed_recently(self) -> bool:
        """Return whether a circuit breaker of required or of optional calls is open or was open recently."""
        return self._required.has_failed_recently or self._optional.has_failed_recently

    @property
    def in_flight(self) -> int:
        """Return the number of attempts that hold a slot of the concurrency limit."""
        return self._limit.in_flight

    @property
    def waiting(self) -> int:
        """Return the number of attempts that wait for a slot."""
        return self._limit.waiting

    def begin(self, operation: str, context: RunContext, loop: asyncio.AbstractEventLoop) -> Attempts:
        """Return the attempts of a call of *operation* in *context*, on *loop*, which is running."""
        self.counts.calls += 1
        guards = (self._optional if context.is_optional else self._required).find(operation)
        return Attempts(guards, self._limit, self._retries, self.counts, context, loop)

    def count_bypass(self) -> None:
        """Count a call that is attempted once, whatever the policies are (`CallMode.BYPASS_POLICIES`)."""
        self.counts.calls += 1
        self.counts.attempts += 1

    def _note_change(self, calls: _CallKind, operation: str | None, state: BreakerState) -> None:
        has_opened = state is BreakerState.OPEN
        if calls == "optional":
            self.counts.optional_breaker_opened += has_opened
        else:
            self.counts.breaker_opened += has_opened
        name = f"the host of {self._service}" if operation is None else operation
        _log.warning("circuit breaker of %s calls to %s is %s", calls, name, state.value)
