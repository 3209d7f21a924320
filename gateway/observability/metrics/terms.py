"""Metrics: their names, labels and kinds, and samples of their values."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from typing import Final, TypeAlias, final

__all__ = (
    "LATENCY_BUCKETS",
    "Distribution",
    "Kind",
    "Labels",
    "Metric",
    "Sample",
    "Source",
    "Value",
    "combine",
)

LATENCY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Upper bounds in seconds that OpenTelemetry recommends for the durations of HTTP requests.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""


class Kind(Enum):
    """Kind of a metric, which decides how the values of several workers are combined."""

    COUNTER = "counter"
    """Count of events, which only grows; the sum over all workers."""

    HISTOGRAM = "histogram"
    """Distribution of durations; the sum over all workers."""

    GAUGE_SUM = "gauge, summed"
    """Number that goes up and down, such as of requests in flight; the sum over all living workers."""

    GAUGE_MAX = "gauge, highest"
    """State, or a number that all workers share; the highest of all living workers."""


@final
@dataclass(frozen=True, slots=True)
class Metric:
    """Metric with its *name* and *labels* in Prometheus' style, and a sentence of *help*.

    The name of a counter ends in `_total`. *buckets* are the upper bounds of a histogram, in its unit.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS


@final
@dataclass(slots=True)
class Distribution:
    """Value of a histogram: the number of values in each of its *buckets*, and their *total*.

    A last count is that of the values above the highest bound.
    """

    buckets: tuple[float, ...]
    counts: list[int] = field(default_factory=list[int])
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.buckets) + 1)

    def observe(self, value: float) -> None:
        """Add *value*."""
        self.counts[bisect_left(self.buckets, value)] += 1
        self.total += value

    @property
    def cumulative(self) -> Sequence[int]:
        """Return the number of values up to each bound, and of all values."""
        return tuple(accumulate(self.counts))


Value: TypeAlias = float | Distribution
Labels: TypeAlias = tuple[str, ...]
Sample: TypeAlias = tuple[Metric, Labels, Value]
"""A value of a metric, and the values of its labels, in the order of `Metric.labels`."""

Source: TypeAlias = Callable[[], Iterable[Sample]]
"""Function that returns the current samples of some metrics."""


def combine(kind: Kind, one: Value, other: Value) -> Value:
    """Return the value of two workers for a metric of this *kind*; raise `TypeError` if they do not match."""
    if isinstance(one, Distribution) and isinstance(other, Distribution):
        counts = [sum(pair) for pair in zip(one.counts, other.counts, strict=True)]
        return Distribution(one.buckets, counts, one.total + other.total)
    if isinstance(one, Distribution) or isinstance(other, Distribution):
        msg = "a distribution and a number cannot be combined"
        raise TypeError(msg)
    return max(one, other) if kind is Kind.GAUGE_MAX else one + other
