"""Task that writes the metrics of a worker."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.observability.metrics.file_writer import keep_file_written
from gateway.observability.metrics.registry import MetricsRegistry
from gateway.observability.metrics.terms import Kind, Metric, Sample
from gateway.observability.metrics.worker_files import WorkerFiles

ORDERS = Metric("shop_orders_total", "Orders", Kind.COUNTER)


class Worker:
    """Worker whose metrics are shared in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.orders = 0
        self.metrics = MetricsRegistry(self.sample)
        self.metrics.share(folder)
        self._reader = WorkerFiles(folder, 1)

    def sample(self) -> Iterator[Sample]:
        yield ORDERS, (), self.orders

    def read(self) -> object:
        """Return the orders that another worker reads."""
        return [value for _, _, value in self._reader.read_others()]


async def test_file_is_written_each_second_and_at_the_end(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    async with keep_file_written(worker.metrics):
        await asyncio.sleep(0.5)
        worker.orders = 1
        assert worker.read() == [0]
        await asyncio.sleep(1)
        assert worker.read() == [1]
        worker.orders = 2

    assert worker.read() == [2]


async def test_trouble_with_file_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    folder = tmp_path / "later"
    worker = Worker(folder)
    async with keep_file_written(worker.metrics):
        await asyncio.sleep(2.5)
        folder.mkdir()
        await asyncio.sleep(1)
        assert worker.read() == [0]

    (message,) = caplog.messages
    assert message.startswith("cannot write the metrics of this worker for the others: ")
