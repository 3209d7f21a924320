"""How many calls a service is asked at once."""

import asyncio
from typing import Final, final

from gateway.resilience.deadline import clip_to_deadline

__all__ = ("ConcurrencyLimit",)

_PATIENCE: Final = 0.1


@final
class ConcurrencyLimit:
    """Lets *at_once* calls in; as many more wait for their turn, none longer than *patience* seconds.

    The queue takes up what is too much of a burst. It is short because what a service cannot take now it will
    hardly take in a second, and who is told at once can do something else.
    """

    def __init__(self, at_once: int, patience: float = _PATIENCE) -> None:
        self._at_once = at_once
        self._patience = patience
        self._places = asyncio.Semaphore(at_once)
        self.in_flight = 0
        self.waiting = 0

    async def enter(self) -> bool:
        """Let a call in, which must `leave` again; say no where there is no place, or none in time."""
        if not self._places.locked():
            await self._places.acquire()
        elif self.waiting == self._at_once or not await self._has_waited():
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give the place to the next."""
        self.in_flight -= 1
        self._places.release()

    async def _has_waited(self) -> bool:
        self.waiting += 1
        try:
            async with asyncio.timeout(clip_to_deadline(self._patience)):
                return await self._places.acquire()
        except TimeoutError:
            return False
        finally:
            self.waiting -= 1
