"""Work that nobody who cancels us can cut short."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ("shielded",)

T = TypeVar("T")


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish *work* whoever cancels us, and only then let the cancellation through.

    An exception of *work* is then its cause.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancellation = cancellation or error
    try:
        if cancellation is not None:
            raise cancellation from (None if task.cancelled() else task.exception())
        return task.result()
    finally:
        del cancellation, task  # their tracebacks refer to this frame: no cycles
