"""Files through which the workers of a gateway read each other's metrics.

Each worker writes its samples to a file of its own. When it has ended, the supervisor adds its counters and
histograms to those of all workers that have ended, so that none of them ever goes back.
"""

import json
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, final

from gateway.observability.metrics.terms import Distribution, Kind, Labels, Metric, Sample, Value, combine

__all__ = ("WorkerFiles", "fold_worker")

_Content: TypeAlias = tuple[list[str], list[Sample]]
"""Content of a file: the names of the files that were folded into it, and its samples."""

_ENDED: Final = "ended.json"
_NAMES_KEPT: Final = 100
"""Names of folded files that are kept: a reader may have read such a file just before it was folded."""


@final
class WorkerFiles:
    """Files in *folder*, one of which belongs to the worker with this *process* id."""

    def __init__(self, folder: Path, process: int) -> None:
        self._folder = folder
        self._own = folder / f"{process}-{secrets.token_hex(8)}.json"  # process ids are used again

    def write(self, samples: Iterable[Sample]) -> None:
        """Replace the file of this worker, atomically; raise `OSError` if that fails."""
        _write(self._own, [], samples)

    def read_others(self) -> Iterator[Sample]:
        """Yield the samples of all other workers."""
        others = {path.name: _read(path)[1] for path in self._folder.glob("*-*.json") if path != self._own}
        folded, ended = _read(self._folder / _ENDED)  # last: it has what is deleted in the meantime
        yield from ended
        for name, samples in others.items():
            if name not in folded:
                yield from samples


def fold_worker(folder: Path, process: int) -> None:
    """Add what the worker with this *process* id, which has ended, has counted to what all ended ones have.

    Its gauges are dropped. Raise `OSError` if the files cannot be written.
    """
    for path in folder.glob(f"{process}-*.json"):
        folded, ended = _read(folder / _ENDED)
        sums: dict[tuple[Metric, Labels], Value] = {
            (metric, labels): value for metric, labels, value in ended
        }
        for metric, labels, value in _read(path)[1]:
            if metric.kind in {Kind.COUNTER, Kind.HISTOGRAM}:
                key = metric, labels
                sums[key] = combine(metric.kind, sums[key], value) if key in sums else value
        samples = [(metric, labels, value) for (metric, labels), value in sums.items()]
        _write(folder / _ENDED, [*folded, path.name][-_NAMES_KEPT:], samples)
        path.unlink()


def _encode(sample: Sample) -> list[object]:
    metric, labels, value = sample
    encoded = [*value.counts, value.total] if isinstance(value, Distribution) else value
    return [metric.name, metric.help, metric.kind.name, metric.labels, metric.buckets, labels, encoded]


def _decode(row: list[Any]) -> Sample:
    name, text, kind, names, buckets, labels, encoded = row
    metric = Metric(name, text, Kind[kind], tuple(names), tuple(buckets))
    if metric.kind is not Kind.HISTOGRAM:
        return metric, tuple(labels), encoded
    *counts, total = encoded
    return metric, tuple(labels), Distribution(metric.buckets, counts, total)


def _read(path: Path) -> _Content:
    """Return the content of a file; it is empty if the file does not exist."""
    try:
        folded, rows = json.loads(path.read_bytes())
    except FileNotFoundError:
        return [], []
    return folded, [*map(_decode, rows)]


def _write(path: Path, folded: list[str], samples: Iterable[Sample]) -> None:
    """Write a file so that a reader finds the old or the new one as a whole."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps((folded, [*map(_encode, samples)])))
    new.replace(path)
