"""The circuit breaker: a service in trouble is left alone, until a few probes show that it is well again."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

from gateway.resilience.evidence import Evidence

__all__ = ("Breaker", "BreakerState", "BreakerTerms")


class BreakerState(Enum):
    """Whether calls get through."""

    CLOSED = "closed"
    """They do."""

    OPEN = "open"
    """None does."""

    HALF_OPEN = "half-open"
    """A few do, to see how the service is."""


@final
@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """When a breaker opens and closes.

    It opens when *failure_rate* of what is known has failed: of the last *volume* attempts at most, none of
    them older than *seconds*, and *minimum* of them at least. It stays open for *pause* seconds; then
    *probes* attempts get through, and if all of them succeed it closes. If one fails it stays open for twice
    as long as before, but never for more than *longest_pause*: what comes back soon is found soon, and what
    does not is asked rarely.
    """

    volume: int = 100
    seconds: float = 10.0
    minimum: int = 20
    failure_rate: float = 0.5
    pause: float = 0.1
    longest_pause: float = 1.0
    probes: int = 3


_TERMS: Final = BreakerTerms()


def _ignored(_: BreakerState) -> None:
    """Do nothing."""


@final
class Breaker:
    """Counts how attempts end, and says which may be made; *on_change* hears of every new state.

    Other breakers open because callers hang up, or let a whole crowd through once half open. Here an attempt
    that shows nothing counts for nothing, and gives its place among the probes to another. What comes of an
    attempt from before the last change of state counts for nothing either. Time is the running loop's.
    """

    def __init__(
        self, terms: BreakerTerms = _TERMS, on_change: Callable[[BreakerState], None] = _ignored
    ) -> None:
        self._terms = terms
        self._on_change = on_change
        self._state = BreakerState.CLOSED
        self._era = 0
        self._known: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probing = 0
        self._passed = 0

    @property
    def state(self) -> BreakerState:
        """Give the state: an open one whose pause is over is half open, called or not."""
        is_over = self._state is BreakerState.OPEN and self._remaining <= 0
        return BreakerState.HALF_OPEN if is_over else self._state

    @property
    def is_in_trouble(self) -> bool:
        """Say whether the service has failed of late: half open may mean that nobody has asked it since."""
        return self._state is not BreakerState.CLOSED and self._remaining > -self._terms.seconds

    @property
    def wait(self) -> float:
        """Give the seconds until an attempt may be made; zero if that is now.

        Nobody knows how long the probes of others will take: while all of them are under way, it is a pause.
        """
        state = self.state
        if state is BreakerState.OPEN:
            return self._remaining
        if state is BreakerState.HALF_OPEN and not self._wants_probe:
            return self._pause
        return 0.0

    def admit(self) -> int | None:
        """Let an attempt through, or not; what this gives must go back to `settle`, whatever happens."""
        state = self.state
        is_half_open = state is BreakerState.HALF_OPEN
        if state is BreakerState.OPEN or (is_half_open and not self._wants_probe):
            return None
        if state is not self._state:
            self._change(state)
        self._probing += is_half_open
        return self._era

    def settle(self, era: int, evidence: Evidence) -> None:
        """Hear what came of an attempt that was let through in *era*."""
        if era != self._era:
            return
        if self._state is BreakerState.HALF_OPEN:
            self._judge_probe(evidence)
        elif evidence is not Evidence.NONE:
            self._count(is_failure=evidence is Evidence.ILL)

    @property
    def _remaining(self) -> float:
        return self._open_until - asyncio.get_running_loop().time()

    @property
    def _wants_probe(self) -> bool:
        return self._probing + self._passed < self._terms.probes

    def _judge_probe(self, evidence: Evidence) -> None:
        self._probing -= 1
        self._passed += evidence is Evidence.WELL
        if evidence is Evidence.ILL:
            self._open(2 * self._pause)
        elif self._passed == self._terms.probes:
            self._change(BreakerState.CLOSED)

    def _count(self, *, is_failure: bool) -> None:
        now = asyncio.get_running_loop().time()
        known, terms = self._known, self._terms
        known.append((now, is_failure))
        self._failures += is_failure
        while len(known) > terms.volume or known[0][0] <= now - terms.seconds:
            self._failures -= known.popleft()[1]
        if len(known) >= terms.minimum and self._failures >= terms.failure_rate * len(known):
            self._open(terms.pause)

    def _open(self, pause: float) -> None:
        self._pause = min(pause, self._terms.longest_pause)
        self._open_until = asyncio.get_running_loop().time() + self._pause
        self._change(BreakerState.OPEN)

    def _change(self, state: BreakerState) -> None:
        self._state = state
        self._era += 1
        self._known.clear()
        self._failures = self._probing = self._passed = 0
        self._on_change(state)
