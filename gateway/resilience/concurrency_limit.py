"""Concurrency limit for one upstream service, with a short queue."""

import asyncio
from typing import final

from gateway.resilience.deadline import clip_to_deadline
from gateway.resilience.terms import ConcurrencyTerms

__all__ = ("ConcurrencyLimit",)


@final
class ConcurrencyLimit:
    """Limit on the attempts that run at once; further attempts queue, first come, first served.

    The queue absorbs bursts. It is short, and attempts beyond it are shed: a saturated service will hardly
    recover within a second, and a caller that is rejected at once can fall back.
    """

    def __init__(self, terms: ConcurrencyTerms) -> None:
        self._queue_timeout = terms.queue_timeout
        self._queue_size = terms.max_concurrency if terms.queue_timeout > 0 else 0
        self._slots = asyncio.Semaphore(terms.max_concurrency)
        self.in_flight = 0
        self.waiting = 0

    async def acquire(self) -> bool:
        """Wait for a slot, take it and return True; the caller must then `release` it.

        Return False if the queue is full, or if the wait reaches the queue timeout or the deadline.
        """
        if not self._slots.locked():
            await self._slots.acquire()
        elif self.waiting == self._queue_size or not await self._wait_for_slot():
            return False
        self.in_flight += 1
        return True

    def release(self) -> None:
        """Free the slot, so that the first attempt in the queue gets it."""
        self.in_flight -= 1
        self._slots.release()

    async def _wait_for_slot(self) -> bool:
        self.waiting += 1
        try:
            async with asyncio.timeout(clip_to_deadline(self._queue_timeout)):
                return await self._slots.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
