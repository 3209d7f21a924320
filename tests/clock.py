"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors

from typing_extensions import override


class AutojumpLoop(asyncio.SelectorEventLoop):
    """Time passes only when every task waits for it, and then all at once.

    Not for threads or real sockets: a timer would fire before what it guards is done. Nor for months: from
    the 97th day on the loop's resolution is lost in the float of the time, and a timer never fires.
    """

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_AutojumpSelector(self))

    @override
    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Move the clock forward."""
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
