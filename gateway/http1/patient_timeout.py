"""Timeout that a busy event loop cannot cause."""

import asyncio
from types import TracebackType
from typing import Final, final

__all__ = ("PatientTimeout",)

_LAST_TURNS: Final = 5
"""Turns of the event loop after the end of the time: enough for a connection to reach its task."""


@final
class PatientTimeout:
    """Timeout for an `async with` block, like `asyncio.timeout`, which first lets the loop do what is due.

    In a busy loop, a connection may have been accepted in time, but the block learns of it only after the
    next turns. So after *seconds* the loop turns a few times more; that takes no time in a loop that is idle.
    None is no limit.
    """

    __slots__ = ("_handle", "_loop", "_seconds", "_timeout")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._handle: asyncio.Handle | None = None

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        if self._seconds is not None:
            self._handle = self._loop.call_later(self._seconds, self._wait, _LAST_TURNS)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Raise `TimeoutError` if the time has ended before the block."""
        if self._handle is not None:
            self._handle.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _wait(self, turns: int) -> None:
        if turns:
            self._handle = self._loop.call_soon(self._wait, turns - 1)
        else:
            self._timeout.reschedule(self._loop.time())
