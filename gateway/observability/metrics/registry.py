"""Registry of the metrics of a gateway, and their text in the formats of Prometheus."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias, cast, final

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from typing_extensions import override

from gateway.observability.metrics.terms import (
    Distribution,
    Kind,
    Labels,
    Metric,
    Sample,
    Source,
    Value,
    combine,
)
from gateway.observability.metrics.worker_files import WorkerFiles

__all__ = ("MetricsRegistry",)

_Values: TypeAlias = dict[Metric, dict[Labels, Value]]

_OPEN_METRICS: Final = "application/openmetrics-text"
_MAX_AGE: Final = 0.2
"""Seconds for which a text is sent again: a text takes milliseconds, and anyone may request it."""


@final
class MetricsRegistry:
    """Metrics of all *sources*, which are read when they are needed. *clock* returns seconds.

    The values of a process are its own. Once `share` has been called, they are those of all workers of the
    gateway, and the metrics of the process, such as `process_cpu_seconds_total`, are left out.

    prometheus-client writes the text. Its own counters and histograms are not used: an observation takes
    eight times as long as with a `Distribution`, and twenty times with files for several processes.
    """

    def __init__(self, *sources: Source, clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._clock = clock
        self._files: WorkerFiles | None = None
        self._process = ProcessCollector(registry=None)
        self._texts: dict[str, tuple[float, bytes]] = {}

    @property
    def is_shared(self) -> bool:
        """Return whether this process is one of several workers that combine their metrics."""
        return self._files is not None

    def share(self, folder: Path) -> None:
        """Combine the metrics with those of the other workers, through files in *folder*."""
        self._files = WorkerFiles(folder, os.getpid())

    def write_file(self) -> None:
        """Write the samples of this process for the other workers; raise `OSError` if that fails."""
        if self._files is not None:
            self._files.write(self._read())

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics as a text that is at most 0.2 s old, and its media type.

        It is OpenMetrics 1.0 if *accept*, the header of the request, names that, else the text format 0.0.4.
        """
        encode, media_type = choose_encoder(
            f"{_OPEN_METRICS}; version=1.0.0" if _OPEN_METRICS in accept else ""
        )
        now = self._clock()
        if media_type not in self._texts or now - self._texts[media_type][0] >= _MAX_AGE:
            self._texts[media_type] = now, encode(_Families([*self._build_families()]))
        return self._texts[media_type][1], media_type

    def _build_families(self) -> Iterator[Family]:
        values: _Values = {}
        _add(values, self._read())
        if self._files is None:
            yield from self._process.collect()
        else:
            _add(values, self._files.read_others())
        for metric, by_labels in values.items():
            yield _build_family(metric, by_labels)

    def _read(self) -> Iterator[Sample]:
        for source in self._sources:
            yield from source()


@final
class _Families(Collector):
    """Families of metrics, for the encoders of prometheus-client."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    @override
    def collect(self) -> Iterable[Family]:
        return self._families


def _add(values: _Values, samples: Iterable[Sample]) -> None:
    for metric, labels, value in samples:
        by_labels = values.setdefault(metric, {})
        by_labels[labels] = combine(metric.kind, by_labels[labels], value) if labels in by_labels else value


def _build_family(metric: Metric, by_labels: dict[Labels, Value]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        bounds = [*map(str, metric.buckets), "+Inf"]
        for labels, value in by_labels.items():
            found = cast("Distribution", value)
            histogram.add_metric(labels, [*zip(bounds, found.cumulative, strict=True)], found.total)
        return histogram
    build = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = build(metric.name, metric.help, labels=metric.labels)
    for labels, value in by_labels.items():
        family.add_metric(labels, cast("float", value))
    return family
