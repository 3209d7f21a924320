"""Files through which workers read each other's metrics."""

from pathlib import Path

from gateway.observability.metrics.terms import Distribution, Kind, Metric, Sample
from gateway.observability.metrics.worker_files import WorkerFiles, fold_worker

ORDERS = Metric("shop_orders_total", "Orders", Kind.COUNTER, ("shop",))
OPEN = Metric("shop_open", "Shops that are open", Kind.GAUGE_SUM)
SECONDS = Metric("shop_seconds", "Time of a visit", Kind.HISTOGRAM, buckets=(0.1, 1.0))
SAMPLES: list[Sample] = [
    (ORDERS, ("main",), 3),
    (OPEN, (), 1),
    (SECONDS, (), Distribution((0.1, 1.0), [0, 2, 1], 4.5)),
]


def read(folder: Path) -> list[Sample]:
    """Return what a worker without samples reads."""
    return [*WorkerFiles(folder, 1).read_others()]


def test_worker_reads_samples_of_others_only(tmp_path: Path) -> None:
    one, other = WorkerFiles(tmp_path, 2), WorkerFiles(tmp_path, 3)
    one.write(SAMPLES)

    assert [*other.read_others()] == SAMPLES
    assert [*one.read_others()] == []


def test_ended_workers_keep_what_they_have_counted(tmp_path: Path) -> None:
    for process in (2, 3):
        WorkerFiles(tmp_path, process).write(SAMPLES)
        fold_worker(tmp_path, process)

    assert read(tmp_path) == [
        (ORDERS, ("main",), 6),
        (SECONDS, (), Distribution((0.1, 1.0), [0, 4, 2], 9.0)),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["ended.json"]


def test_file_that_was_folded_already_is_not_read_twice(tmp_path: Path) -> None:
    WorkerFiles(tmp_path, 2).write(SAMPLES)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    fold_worker(tmp_path, 2)

    path.write_bytes(content)  # as a reader has seen it that has listed the folder before

    assert len(read(tmp_path)) == 2


def test_worker_that_wrote_no_file_is_folded(tmp_path: Path) -> None:
    fold_worker(tmp_path, 2)

    assert [*tmp_path.iterdir()] == []
