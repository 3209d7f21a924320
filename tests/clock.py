"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors

from typing_extensions import override


class AutojumpLoop(asyncio.SelectorEventLoop):
    """Event loop whose clock stands still while any task can run, and jumps when all tasks wait.

    Tests with threads or real sockets cannot use it: a timeout would fire before their work is done. The
    simulated time must stay below 97 days: from then on, a float cannot represent steps as small as
    the resolution of the loop, and timers would never fire.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_AutojumpSelector(self))

    @override
    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Move the clock forward by *seconds*."""
        self._now += seconds


class _AutojumpSelector(selectors.DefaultSelector):
    def __init__(self, loop: AutojumpLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self._loop.jump(timeout)
        return ready
