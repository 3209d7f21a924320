"""Outcomes of requests, and their statistics."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple, final

from benchmarks.storms.client.request import Request

__all__ = ("DISCONNECTED", "NO_RESPONSE", "Outcome", "Outcomes")

NO_RESPONSE: Final = 0
"""Status of a request that timed out, or whose connection failed before a response."""
DISCONNECTED: Final = -1
"""Status of a request whose client disconnected."""
_SUCCESSES: Final = frozenset({200, 201})


class Outcome(NamedTuple):
    """The outcome of a request; *due* is the time on the loop's clock at which it should have been sent.

    *lateness* is the time from *due* until the request was sent, *seconds* the time from *due* until its end.
    A success is incomplete if the response marks an optional part as missing.
    """

    request: Request
    status: int
    due: float
    seconds: float
    lateness: float = 0.0
    location: str | None = None
    is_complete: bool = True


@final
class Outcomes:
    """Outcomes in the order in which their requests were due."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._all: Final = sorted(outcomes, key=lambda outcome: outcome.due)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def statuses(self) -> Counter[int]:
        """The number of outcomes by status."""
        return Counter(outcome.status for outcome in self._all)

    @property
    def summary(self) -> str:
        """The number of outcomes by status as text, such as "200: 12, 503: 3"."""
        names = {NO_RESPONSE: "none", DISCONNECTED: "disconnected"}
        counts = [f"{names.get(status, status)}: {n}" for status, n in sorted(self.statuses.items())]
        if self.incomplete:
            counts.append(f"incomplete: {len(self.incomplete)}")
        return ", ".join(counts) or "nothing"

    def with_status(self, *statuses: int) -> "Outcomes":
        """Return the outcomes with any of these statuses."""
        return Outcomes(outcome for outcome in self._all if outcome.status in statuses)

    def without_status(self, *statuses: int) -> "Outcomes":
        """Return the outcomes with none of these statuses."""
        return Outcomes(outcome for outcome in self._all if outcome.status not in statuses)

    def of_requests(self, names: Collection[str]) -> "Outcomes":
        """Return the outcomes of requests with these names."""
        return Outcomes(outcome for outcome in self._all if outcome.request.name in names)

    @property
    def incomplete(self) -> "Outcomes":
        """The incomplete successes."""
        return Outcomes(o for o in self._all if not o.is_complete and o.status in _SUCCESSES)

    @property
    def imperfect(self) -> "Outcomes":
        """The failures and the incomplete successes."""
        return Outcomes(o for o in self._all if not o.is_complete or o.status not in _SUCCESSES)

    def received_by(self, end: float) -> "Outcomes":
        """Return the outcomes of requests that had ended by *end*, with or without a response."""
        return Outcomes(outcome for outcome in self._all if outcome.due + outcome.seconds <= end)

    def sent_by(self, end: float) -> "Outcomes":
        """Return the outcomes of requests sent by *end*, regardless of when they were due."""
        return Outcomes(outcome for outcome in self._all if outcome.due + outcome.lateness <= end)

    def between(self, start: float, end: float = math.inf) -> "Outcomes":
        """Return the outcomes of requests that were due at *start* or later, and before *end*."""
        return Outcomes(outcome for outcome in self._all if start <= outcome.due < end)

    def split(self, count: int) -> Sequence["Outcomes"]:
        """Split the outcomes into at most *count* consecutive rounds, none of which is empty."""
        size = max(1, math.ceil(len(self._all) / count))
        return [Outcomes(self._all[at : at + size]) for at in range(0, len(self._all), size)]

    def quantile(self, share: float) -> float:
        """Return a quantile of the response times in milliseconds, or NaN if there are no outcomes."""
        ordered = sorted(outcome.seconds for outcome in self._all)
        if not ordered:
            return math.nan
        return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))] * 1000

    @property
    def start(self) -> float:
        """The time at which the first request was due."""
        return self._all[0].due

    @property
    def p99_lateness(self) -> float:
        """The 99th percentile of the lateness in milliseconds, which is high if the client is busy."""
        return Outcomes(outcome._replace(seconds=outcome.lateness) for outcome in self._all).p99

    @property
    def median(self) -> float:
        """The median response time in milliseconds."""
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        """The 99th percentile of the response times in milliseconds."""
        return self.quantile(0.99)
