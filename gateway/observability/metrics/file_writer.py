"""Task that writes the metrics of a worker for the other workers."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from gateway.observability.metrics.registry import MetricsRegistry

__all__ = ("keep_file_written",)

_log: Final = logging.getLogger(__name__)

_INTERVAL: Final = 1.0
"""Seconds between two files: a response of another worker is at most that old, for what this one counts."""


@asynccontextmanager
async def keep_file_written(metrics: MetricsRegistry) -> AsyncGenerator[None]:
    """Write the file of *metrics* once a second in the background of a block, and once more at its end."""
    writing = asyncio.create_task(_keep_written(metrics))
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait((writing,))
        _try_write(metrics, is_failing=False)


async def _keep_written(metrics: MetricsRegistry) -> None:
    is_failing = False
    while True:
        is_failing = _try_write(metrics, is_failing=is_failing)
        await asyncio.sleep(_INTERVAL)


def _try_write(metrics: MetricsRegistry, *, is_failing: bool) -> bool:
    """Write the file; return whether that failed, which is logged unless it *is_failing* already."""
    try:
        metrics.write_file()
    except OSError as error:
        if not is_failing:
            _log.warning("cannot write the metrics of this worker for the others: %s", error)
        return True
    return False
