"""Concurrency limit for one upstream service, with a short queue."""

import asyncio
from collections import deque
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
        self._max_concurrency = terms.max_concurrency
        self._queue_timeout = terms.queue_timeout
        self._queue_size = terms.max_concurrency if terms.queue_timeout > 0 else 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """Return the number of attempts in the queue."""
        return len(self._queue)

    def try_acquire(self) -> bool:
        """Take a slot and return True, or return False if none is free; a taken slot must be released."""
        if self.in_flight == self._max_concurrency:
            return False
        self.in_flight += 1
        return True

    async def acquire(self) -> bool:
        """Wait for a slot, take it and return True; the caller must then `release` it.

        Return False if the queue is full, or if the wait reaches the queue timeout or the deadline.
        """
        if self.try_acquire():
            return True
        if self.waiting == self._queue_size:
            return False
        return await self._wait_for_slot()

    def release(self) -> None:
        """Free the slot, so that the first attempt in the queue gets it."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():  # the attempt has not been cancelled
                turn.set_result(None)
                return
        self.in_flight -= 1

    async def _wait_for_slot(self) -> bool:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(clip_to_deadline(self._queue_timeout)):
                await turn
        except TimeoutError:
            self._leave(turn)
            return False
        except asyncio.CancelledError:
            self._leave(turn)
            raise
        return True

    def _leave(self, turn: "asyncio.Future[None]") -> None:
        """Leave the queue without a slot; pass on a slot that has come at the same time."""
        if turn in self._queue:
            self._queue.remove(turn)
        elif not turn.cancelled():
            self.release()
