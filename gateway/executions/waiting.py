"""Waiting of requests for a run that another request, or another process, makes."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, final

__all__ = ("MAX_PER_KEY", "MAX_WAITING", "WaitingRoom")

MAX_WAITING: Final = 1024
"""Requests that wait at the same time."""

MAX_PER_KEY: Final = 32
"""Requests that wait for the same run at the same time."""

_LOOK_INTERVAL: Final = 0.1
"""Seconds between two looks at a run in another process."""


@final
class WaitingRoom:
    """Requests that wait for runs.

    They hold no place in the gateway's limit of requests, so their number is limited here.
    """

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._looks: dict[str, asyncio.Task[None]] = {}

    async def wait(self, execution_id: str, task: "asyncio.Task[object]", deadline: float | None) -> bool:
        """Wait for *task* until *deadline* on the loop's clock; return True if it is done.

        Return False at once if too many requests wait already. The task is not cancelled.
        """
        if task.done():
            return True
        if self._waiting[execution_id] >= MAX_PER_KEY or self._waiting.total() >= MAX_WAITING:
            return False
        self._waiting[execution_id] += 1
        try:
            return await wait_until_done(task, deadline)
        finally:
            self._waiting[execution_id] -= 1
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    async def wait_elsewhere(
        self, execution_id: str, is_decided: Callable[[], Awaitable[bool]], deadline: float | None
    ) -> bool:
        """Wait until *is_decided* returns True for a run in another process, as `wait` does.

        However many requests wait for a run, it is looked at ten times a second.
        """
        look = self._looks.get(execution_id)
        if look is None or look.done():
            look = self._looks[execution_id] = asyncio.create_task(_look(is_decided))
        try:
            return await self.wait(execution_id, look, deadline)
        finally:
            if not self._waiting[execution_id] and self._looks.get(execution_id) is look:
                del self._looks[execution_id]
                look.cancel()


async def wait_until_done(task: "asyncio.Task[object]", deadline: float | None) -> bool:
    """Wait for *task* until *deadline*, without cancelling it; return True if it is done."""
    seconds = None if deadline is None else deadline - asyncio.get_running_loop().time()
    await asyncio.wait((task,), timeout=seconds)
    return task.done()


async def _look(is_decided: Callable[[], Awaitable[bool]]) -> None:
    while not await is_decided():  # noqa: ASYNC110 - no event tells of another process
        await asyncio.sleep(_LOOK_INTERVAL)
