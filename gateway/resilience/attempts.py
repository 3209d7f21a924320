"""Attempts of one call: functions that admit, settle and retry them; only `queue` waits."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final, TypeVar, final

from gateway.railway import BadAnswer, CallMode, Err, Failure, RejectedBy, RunContext, TimedOut, Unavailable
from gateway.resilience.attempt_outcome import AttemptOutcome, HealthSignal
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from gateway.resilience.deadline import has_deadline_passed
from gateway.resilience.guards import Guards
from gateway.resilience.terms import RetryTerms

__all__ = ("AT_LIMIT", "DEADLINE_PASSED", "Attempts", "PolicyCounts", "Rejection")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_SHED_RETRY_AFTER: Final = 1.0
"""`retry_after` of an attempt that was shed, in seconds.

The time until a slot is free is unknown, and `Retry-After` counts whole seconds.
"""


@final
@dataclass(frozen=True, slots=True)
class Rejection:
    """Reason why the policies have not made an attempt.

    - *retry_after*: seconds until the attempt may be made, if the circuit breaker or the concurrency limit
      rejected it; None if the deadline passed first.
    - *is_at_limit*: True if the concurrency limit rejected the attempt.
    """

    retry_after: float | None
    is_at_limit: bool = False

    @property
    def rejected_by(self) -> RejectedBy:
        """Return the policy that has rejected the attempt, for the observer of the run."""
        if self.is_at_limit:
            return RejectedBy.LIMIT
        return RejectedBy.DEADLINE if self.retry_after is None else RejectedBy.BREAKER


AT_LIMIT: Final = Rejection(_SHED_RETRY_AFTER, is_at_limit=True)
DEADLINE_PASSED: Final = Rejection(None)

_FINAL: Final = (HealthSignal.HEALTHY, HealthSignal.REQUEST_AT_FAULT)
"""Signals after which a retry is pointless."""


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
class Attempts:
    """Attempts of one call in *context*, on *loop*.

    For each of them:

    1. `admit` it. If the concurrency limit is full, await `queue`. A rejected attempt ends the call.
    2. Make it, and `settle` it, however it ends.
    3. `choose_pause`. If it returns None, the call ends. Otherwise, after the pause, `take_retry`.

    With `CallMode.SEND_ONCE`, an attempt that may have reached the service is the last one.
    """

    __slots__ = ("_admission", "_context", "_counts", "_guards", "_limit", "_loop", "_retries", "_terms")

    def __init__(  # noqa: PLR0913, PLR0917 - the policies of a call
        self,
        guards: Guards,
        limit: ConcurrencyLimit,
        terms: RetryTerms,
        counts: PolicyCounts,
        context: RunContext,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._guards = guards
        self._limit = limit
        self._terms = terms
        self._counts = counts
        self._context = context
        self._loop = loop
        self._retries = 0

    def admit(self) -> Rejection | None:
        """Admit an attempt, or return why it is rejected; it may `queue` for `AT_LIMIT`."""
        # Before the queue too: an attempt that the breaker will reject need not wait for a slot.
        if (retry_after := self._guards.retry_after) > 0:
            return self._short_circuit(retry_after)
        return self._admit_in_slot() if self._limit.try_acquire() else AT_LIMIT

    async def queue(self) -> Rejection | None:
        """Wait for a slot of the concurrency limit, and admit an attempt, or return why it is rejected."""
        if await self._limit.acquire():
            return self._admit_in_slot()
        is_late = has_deadline_passed(self._context.time_left(self._loop.time()))
        self._counts.shed += not is_late
        return DEADLINE_PASSED if is_late else AT_LIMIT

    def settle(self, signal: HealthSignal) -> None:
        """Record the *signal* of an admitted attempt, and free its slot."""
        self._guards.record(self._admission, signal, self._loop.time())
        self._limit.release()

    def choose_pause(self, outcome: AttemptOutcome[T, E]) -> float | None:
        """Return the seconds to wait before a retry, or None if the call ends with *outcome*.

        Count a retry that the budget denies.
        """
        if outcome.signal in _FINAL or self._retries == self._terms.attempts - 1:
            return None
        pause = self._find_pause(outcome)
        if pause is None:
            return None
        now = self._loop.time()
        if has_deadline_passed(self._context.time_left(now) - pause) or self._guards.retry_after > pause:
            return None
        return pause if self._count_denied(self._guards.budget.has_retry_left(now)) else None

    def take_retry(self) -> bool:
        """Take a retry from the budget, and return whether there was one."""
        self._retries += 1
        return self._count_denied(self._guards.budget.take_retry(self._loop.time()))

    def _admit_in_slot(self) -> Rejection | None:
        now = self._loop.time()
        if has_deadline_passed(self._context.time_left(now)):
            self._limit.release()
            return DEADLINE_PASSED
        admission = self._guards.admit(now)
        if admission is None:  # a breaker opened while this attempt was in the queue
            self._limit.release()
            return self._short_circuit(self._guards.retry_after)
        self._admission = admission
        self._counts.attempts += 1
        if self._retries:
            self._counts.retries += 1
        else:  # only now: a rejected call must not raise the budget
            self._guards.budget.record_call(now)
        return None

    def _short_circuit(self, retry_after: float) -> Rejection:
        self._counts.short_circuited += 1
        return Rejection(retry_after)

    def _find_pause(self, outcome: AttemptOutcome[T, E]) -> float | None:
        """Return a pause with jitter for the failure of *outcome*, or None if it is not transient."""
        backoff = self._terms.backoffs[self._retries]
        pause = random.uniform(0, backoff)  # noqa: S311 - jitter needs no cryptography
        match outcome.result:
            case Err(Unavailable(was_sent=True) | TimedOut(was_sent=True) | BadAnswer()) if (
                self._context.mode is CallMode.SEND_ONCE
            ):
                return None
            case Err(Unavailable(retry_after=seconds) | BadAnswer(is_transient=True, retry_after=seconds)):
                pause += seconds or 0
                return pause if pause <= self._terms.max_pause else None
            case Err(TimedOut()):
                return pause
            case _:
                return None

    def _count_denied(self, is_allowed: bool) -> bool:  # noqa: FBT001 - it is returned
        """Count a retry that the budget has denied; return whether it *is_allowed*."""
        self._counts.retries_denied += not is_allowed
        return is_allowed
