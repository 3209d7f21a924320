"""All that stands between the calls to one service and the service."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar, final

from gateway.railway import CallMode, Err, Failure, TimedOut, Unavailable
from gateway.resilience.circuit_breaker import Breaker, BreakerState, BreakerTerms
from gateway.resilience.concurrency_limit import ConcurrencyLimit
from gateway.resilience.deadline import is_over
from gateway.resilience.evidence import Attempted, Evidence
from gateway.resilience.retry_budget import RetryBudget

__all__ = ("MAX_CONCURRENCY", "Counts", "Policies", "Refused")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_log: Final = logging.getLogger("gateway.services")

MAX_CONCURRENCY: Final = 200
"""How many calls go to one service at once, unless somebody says otherwise."""

_PAUSES: Final = (0.05, 0.1)
"""The longest that is waited before the second attempt, and before the third, which is the last."""

_LONGEST_PAUSE: Final = 10.0
"""Nobody waits longer than that because a service asks for it, however much time there is."""

_ENOUGH: Final = 1.0
"""When to come back to a service that has enough to do: nobody knows, and a header counts in seconds."""

Making: TypeAlias = Callable[[], Awaitable[Attempted[T, E]]]
"""Makes one attempt, whatever there is to say against it."""


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """The service was not asked; it may be in *retry_after* seconds, and None says that time was up.

    *is_full* says that there was no place for one more call: the service may be as well as can be.
    """

    retry_after: float | None
    is_full: bool = False


_TIME_IS_UP: Final = Refused(None)


@final
@dataclass(slots=True)
class Counts:
    """What has happened on the way to one service since the start, ever growing.

    *calls* are what pipelines have asked for, and every repeat and undo of a commit is one more; *attempts*
    what was made of them, of which *retries* were not the first of their call. *unaffordable* retries were
    not made for want of budget. *broken* attempts were refused by a breaker: that of the calls that answers
    need has *opened* so often, that of optional calls *optional_opened*. *shed* attempts got no place among
    those that are made at once.
    """

    calls: int = 0
    attempts: int = 0
    retries: int = 0
    unaffordable: int = 0
    broken: int = 0
    shed: int = 0
    opened: int = 0
    optional_opened: int = 0


@final
@dataclass(frozen=True, slots=True)
class _Lane:
    """What the calls of one kind have to themselves."""

    breaker: Breaker
    budget: RetryBudget = field(default_factory=RetryBudget)


@final
class Policies:
    """Decides whether the service *upstream* is asked, and how often for one call.

    A call makes at most three attempts. After one that failed there is a pause of random length ("full
    jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), longer by what the
    service asks for, and another if the deadline and the budget of retries allow it. An attempt that the
    breaker or the concurrency limit (*max_concurrency*) refuses is not made: the call has failed with what
    came of those before.

    Optional calls have a breaker and a budget of their own: where a service has what an answer needs and what
    it can do without, trouble with the second must not keep the first from being asked for.
    """

    def __init__(
        self, upstream: str, *, max_concurrency: int = MAX_CONCURRENCY, breaker: BreakerTerms | None = None
    ) -> None:
        terms = breaker or BreakerTerms()
        self._upstream = upstream
        self._limit = ConcurrencyLimit(max_concurrency)
        self._needed = _Lane(Breaker(terms, self._on_change))
        self._optional = _Lane(Breaker(terms, self._on_change_of_optional))
        self.counts: Final = Counts()

    @property
    def breaker(self) -> BreakerState:
        """Tell whether calls get through that an answer needs."""
        return self._needed.breaker.state

    @property
    def optional_breaker(self) -> BreakerState:
        """Tell whether optional calls get through."""
        return self._optional.breaker.state

    @property
    def is_in_trouble(self) -> bool:
        """Say whether the service has failed of late, at what an answer needs or at optional calls."""
        return self._needed.breaker.is_in_trouble or self._optional.breaker.is_in_trouble

    @property
    def in_flight(self) -> int:
        """Give how many attempts are under way, without those that pass the limit by."""
        return self._limit.in_flight

    @property
    def waiting(self) -> int:
        """Give how many attempts wait for their turn."""
        return self._limit.waiting

    async def call(
        self, make: Making[T, E], mode: CallMode, *, is_optional: bool = False
    ) -> Attempted[T, E] | Refused:
        """Make the attempts of one call; give what the last one came to that was made."""
        self.counts.calls += 1
        if mode is CallMode.BYPASS_POLICIES:
            self.counts.attempts += 1
            return await make()
        lane = self._optional if is_optional else self._needed
        made = await self._attempt(make, lane)
        for longest in _PAUSES:
            pause = _pause_after(made, longest, mode)
            if pause is None or not self._is_worth(pause, lane):
                break
            await asyncio.sleep(pause)
            if not self._is_affordable(lane.budget.take):
                break
            again = await self._attempt(make, lane, is_retry=True)
            if isinstance(again, Refused):
                break
            made = again
        return made

    async def _attempt(
        self, make: Making[T, E], lane: _Lane, *, is_retry: bool = False
    ) -> Attempted[T, E] | Refused:
        if (wait := lane.breaker.wait) > 0:
            self.counts.broken += 1
            return Refused(wait)
        if not await self._limit.enter():
            is_late = is_over()
            self.counts.shed += not is_late
            return _TIME_IS_UP if is_late else Refused(_ENOUGH, is_full=True)
        try:
            return await self._watched(make, lane, is_retry=is_retry)
        finally:
            self._limit.leave()

    async def _watched(self, make: Making[T, E], lane: _Lane, *, is_retry: bool) -> Attempted[T, E] | Refused:
        if is_over():
            return _TIME_IS_UP
        era = lane.breaker.admit()
        if era is None:  # it has opened while this one waited for its turn
            self.counts.broken += 1
            return Refused(lane.breaker.wait)
        self.counts.attempts += 1
        self.counts.retries += is_retry
        if not is_retry:  # what is not made gives nobody a retry
            lane.budget.note_call(asyncio.get_running_loop().time())
        evidence = Evidence.NONE
        try:
            made = await make()
            evidence = made.evidence
            return made
        finally:
            lane.breaker.settle(era, evidence)

    def _is_worth(self, pause: float, lane: _Lane) -> bool:
        """Say whether there will be time and leave for a retry after *pause* seconds."""
        if is_over(after=pause) or lane.breaker.wait > pause:
            return False
        return self._is_affordable(lane.budget.allows)

    def _is_affordable(self, left: Callable[[float], bool]) -> bool:
        is_left = left(asyncio.get_running_loop().time())
        self.counts.unaffordable += not is_left
        return is_left

    def _on_change(self, state: BreakerState) -> None:
        self.counts.opened += state is BreakerState.OPEN
        _log.warning("the breaker of %s is %s", self._upstream, state.value)

    def _on_change_of_optional(self, state: BreakerState) -> None:
        self.counts.optional_opened += state is BreakerState.OPEN
        _log.warning("the breaker of optional calls to %s is %s", self._upstream, state.value)


def _pause_after(made: Attempted[T, E] | Refused, longest: float, mode: CallMode) -> float | None:
    """Give the seconds after which another attempt makes sense; None if none does."""
    if isinstance(made, Refused) or made.evidence is Evidence.WELL:
        return None
    pause = random.uniform(0, longest)  # noqa: S311 - so that not all come back at once
    match made.result:
        case Err(Unavailable(was_sent=True) | TimedOut(was_sent=True)) if mode is CallMode.SEND_ONCE:
            return None
        case Err(Unavailable(retry_after=seconds)):
            pause += seconds or 0
            return pause if pause <= _LONGEST_PAUSE else None
        case Err(TimedOut()):
            return pause
        case _:
            return None
