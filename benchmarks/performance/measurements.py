"""Figures of all runs, and their median and spread."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, final

from pydantic import BaseModel, ConfigDict

__all__ = ("UNITS", "Figure", "LoadReport", "Measurement", "Measurements", "Spread", "format_number")

Figure: TypeAlias = Literal[
    "cpu_us", "per_core", "served", "failed", "p50_ms", "p99_ms", "errors", "rss_mib", "in_flight_kb"
]
"""Name of a figure."""

UNITS: Final[Mapping[Figure, str]] = {
    "cpu_us": "CPU per request, us",
    "per_core": "requests/s per core",
    "served": "served/s",
    "failed": "refused or failed/s",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "errors": "errors",
    "rss_mib": "RSS, MiB",
    "in_flight_kb": "kB per request in progress",
}
"""The headings of the figures in tables."""

_ROUND_FROM: Final = 100
_ROUND_TENTHS_FROM: Final = 10


class LoadReport(BaseModel):
    """The report of `wrk.lua` on a run.

    The *window* is the part of the run after its warm-up, and *window_cpu_seconds* the CPU time of the server
    in it. *failed_statuses* counts statuses from 400.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float
    responses: int
    sent: int
    failed_statuses: int
    socket_errors: int
    timeouts: int
    p50_ms: float
    p99_ms: float
    window_requests: int
    window_cpu_seconds: float


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of one run.

    - *cpu_us*: CPU time of the server per request, in microseconds; NaN if it was not measured.
    - *served*, *failed*: responses per second with a status below 400, and from 400.
    - *errors*: failures that are no part of the load, connections that failed, and timeouts.
    - *rss_mib*, *in_flight_kb*: resident memory at the end, and its growth during the run per client.
    """

    cpu_us: float
    served: float
    failed: float
    p50_ms: float
    p99_ms: float
    errors: float
    rss_mib: float = math.nan
    in_flight_kb: float = math.nan

    @property
    def per_core(self) -> float:
        """Requests per second that a core can handle."""
        return 1e6 / self.cpu_us if self.cpu_us else math.nan

    def get(self, figure: Figure) -> float:
        """Return a figure by name."""
        value: float = getattr(self, figure)
        return value


class Spread(NamedTuple):
    """Median, minimum and maximum."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of *values* without NaNs; NaNs if there are no others."""
        numbers = [value for value in values if not math.isnan(value)]
        if not numbers:
            return cls(math.nan, math.nan, math.nan)
        return cls(statistics.median(numbers), min(numbers), max(numbers))

    @property
    def text(self) -> str:
        """The spread as "12 (11 to 14)", or "12" if there is none."""
        median, low, high = (format_number(value) for value in self)
        return median if low == high else f"{median} ({low} to {high})"


@final
class Measurements:
    """The measurements of all runs, in rounds, by scenario and peer."""

    def __init__(self) -> None:
        self._rounds: defaultdict[tuple[str, str], dict[int, Measurement]] = defaultdict(dict)

    def add(self, scenario: str, peer: str, round_number: int, measurement: Measurement) -> None:
        """Add the measurement of a run."""
        self._rounds[scenario, peer][round_number] = measurement

    def list_peers(self, scenario: str) -> Sequence[str]:
        """Return the peers that were measured in *scenario*."""
        return [peer for measured, peer in self._rounds if measured == scenario]

    def count_rounds(self, scenario: str) -> int:
        """Return the number of rounds of *scenario*."""
        return max((len(runs) for (name, _), runs in self._rounds.items() if name == scenario), default=0)

    def list_values(self, scenario: str, peer: str, figure: Figure) -> Sequence[float]:
        """Return the values of a figure, one for each round."""
        return [measurement.get(figure) for measurement in self._rounds.get((scenario, peer), {}).values()]

    def spread(self, scenario: str, peer: str, figure: Figure) -> Spread:
        """Return the spread of a figure over the rounds."""
        return Spread.of(self.list_values(scenario, peer, figure))

    def compare(self, over: tuple[str, str, Figure], under: tuple[str, str, Figure]) -> Sequence[float]:
        """Return the ratio of two figures, calculated for each round that has both.

        *over* and *under* are a scenario, a peer and a figure.
        """
        first, second = self._rounds.get(over[:2], {}), self._rounds.get(under[:2], {})
        return [
            measurement.get(over[2]) / second[number].get(under[2])
            for number, measurement in first.items()
            if number in second
        ]


def format_number(value: float) -> str:
    """Return a number with about three digits, or "-" for NaN."""
    if math.isnan(value):
        return "-"
    if abs(value) >= _ROUND_FROM or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= _ROUND_TENTHS_FROM else f"{value:.2f}"
