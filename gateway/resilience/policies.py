"""Outbound policies for the calls to one upstream service: concurrency limit, circuit breakers, retries."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, TypeAlias, TypeVar, final

from gateway.railway import BadAnswer, CallMode, Err, Failure, TimedOut, Unavailable
from gateway.resilience.attempt_outcome import AttemptOutcome, HealthSignal
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from gateway.resilience.deadline import has_deadline_passed
from gateway.resilience.guards import BreakerStates, GuardGroup, Guards
from gateway.resilience.terms import PolicyTerms

__all__ = ("MakeAttempt", "Policies", "PolicyCounts", "Rejection")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_log: Final = logging.getLogger("gateway.client")

_SHED_RETRY_AFTER: Final = 1.0
"""`retry_after` of an attempt that was shed, in seconds.

The time until a slot is free is unknown, and `Retry-After` counts whole seconds.
"""

_CallKind: TypeAlias = Literal["required", "optional"]

MakeAttempt: TypeAlias = Callable[[], Awaitable[AttemptOutcome[T, E]]]
"""Async function that makes a single attempt of a call."""


@final
@dataclass(frozen=True, slots=True)
class Rejection:
    """An attempt that the policies did not make.

    - *retry_after*: seconds until the attempt may be made, if the circuit breaker or the concurrency limit
      rejected it; None if the deadline passed first.
    - *is_at_limit*: True if the concurrency limit rejected the attempt.
    """

    retry_after: float | None
    is_at_limit: bool = False


_NONE: Final = HealthSignal.NONE
_FINAL: Final = (HealthSignal.HEALTHY, HealthSignal.REQUEST_AT_FAULT)
"""Signals after which a retry is pointless."""

_DEADLINE_PASSED: Final = Rejection(None)


@final
@dataclass(slots=True)
class PolicyCounts:
    """Counters of one service's policies since the process started."""

    calls: int = 0
    """Calls by pipelines. Each retry and each undo that a commit makes counts as a call."""

    attempts: int = 0
    """Attempts made, first attempts and retries."""

    retries: int = 0
    """Attempts made after the first attempt of their call."""

    retries_denied: int = 0
    """Retries not made because the retry budget was empty."""

    short_circuited: int = 0
    """Attempts rejected by a circuit breaker."""

    shed: int = 0
    """Attempts rejected by the concurrency limit."""

    breaker_opened: int = 0
    """Number of times that a circuit breaker of required calls opened, of an operation or of the host."""

    optional_breaker_opened: int = 0
    """Number of times that a circuit breaker of optional calls opened, of an operation or of the host."""


@final
class Policies:
    """Policies of a *service*, which make the attempts of its calls on the given *terms*.

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
        self._backoffs = terms.retries.backoffs
        self._max_pause = terms.retries.max_pause
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

    async def call(
        self, operation: str, make_attempt: MakeAttempt[T, E], mode: CallMode, *, is_optional: bool = False
    ) -> AttemptOutcome[T, E] | Rejection:
        """Make the attempts of a call of *operation*, and return the outcome of the last attempt made.

        Return a `Rejection` if no attempt was made. With `CallMode.SEND_ONCE`, the call is not retried after
        an attempt that may have reached the service. With `CallMode.BYPASS_POLICIES`, make a single attempt,
        whatever the policies are.
        """
        self.counts.calls += 1
        if mode is CallMode.BYPASS_POLICIES:
            self.counts.attempts += 1
            return await make_attempt()
        guards = (self._optional if is_optional else self._required).find(operation)
        outcome = await self._attempt(make_attempt, guards)
        for backoff in self._backoffs:  # its length is the maximum number of retries
            pause = self._choose_pause(outcome, backoff, mode)
            if pause is None or not self._allows_retry(pause, guards):
                break
            await asyncio.sleep(pause)
            if not self._query_budget(guards.budget.take_retry):
                break
            retried = await self._attempt(make_attempt, guards, is_retry=True)
            if isinstance(retried, Rejection):
                break
            outcome = retried
        return outcome

    async def _attempt(
        self, make_attempt: MakeAttempt[T, E], guards: Guards, *, is_retry: bool = False
    ) -> AttemptOutcome[T, E] | Rejection:
        # Before the queue too: an attempt that the breaker will reject need not wait for a slot.
        if (retry_after := guards.retry_after) > 0:
            self.counts.short_circuited += 1
            return Rejection(retry_after)
        if not await self._limit.acquire():
            is_late = has_deadline_passed()
            self.counts.shed += not is_late
            return _DEADLINE_PASSED if is_late else Rejection(_SHED_RETRY_AFTER, is_at_limit=True)
        try:
            return await self._attempt_in_slot(make_attempt, guards, is_retry=is_retry)
        finally:
            self._limit.release()

    async def _attempt_in_slot(
        self, make_attempt: MakeAttempt[T, E], guards: Guards, *, is_retry: bool
    ) -> AttemptOutcome[T, E] | Rejection:
        if has_deadline_passed():
            return _DEADLINE_PASSED
        admission = guards.admit()
        if admission is None:  # a breaker opened while this attempt was in the queue
            self.counts.short_circuited += 1
            return Rejection(guards.retry_after)
        self.counts.attempts += 1
        self.counts.retries += is_retry
        if not is_retry:  # only now: a rejected call must not raise the budget
            guards.budget.record_call(asyncio.get_running_loop().time())
        signal = _NONE
        try:
            outcome = await make_attempt()
            signal = outcome.signal
            return outcome
        finally:
            guards.record(admission, signal)

    def _choose_pause(
        self, outcome: AttemptOutcome[T, E] | Rejection, backoff: float, mode: CallMode
    ) -> float | None:
        """Return the seconds to wait before a retry, or None if *outcome* allows no retry in this *mode*."""
        if isinstance(outcome, Rejection) or outcome.signal in _FINAL:
            return None
        pause = random.uniform(0, backoff)  # noqa: S311 - jitter needs no cryptography
        match outcome.result:
            case Err(Unavailable(was_sent=True) | TimedOut(was_sent=True) | BadAnswer()) if (
                mode is CallMode.SEND_ONCE
            ):
                return None
            case Err(Unavailable(retry_after=seconds) | BadAnswer(is_transient=True, retry_after=seconds)):
                pause += seconds or 0
                return pause if pause <= self._max_pause else None
            case Err(TimedOut()):
                return pause
            case _:
                return None

    def _allows_retry(self, pause: float, guards: Guards) -> bool:
        """Return True if the deadline, the breaker and the budget allow a retry after *pause* seconds.

        Count a retry that the budget denies.
        """
        if has_deadline_passed(after=pause) or guards.retry_after > pause:
            return False
        return self._query_budget(guards.budget.has_retry_left)

    def _query_budget(self, query: Callable[[float], bool]) -> bool:
        """Return the result of *query*, a method of a retry budget; if it is False, count a denied retry."""
        is_allowed = query(asyncio.get_running_loop().time())
        self.counts.retries_denied += not is_allowed
        return is_allowed

    def _note_change(self, calls: _CallKind, operation: str | None, state: BreakerState) -> None:
        has_opened = state is BreakerState.OPEN
        if calls == "optional":
            self.counts.optional_breaker_opened += has_opened
        else:
            self.counts.breaker_opened += has_opened
        name = f"the host of {self._service}" if operation is None else operation
        _log.warning("circuit breaker of %s calls to %s is %s", calls, name, state.value)
