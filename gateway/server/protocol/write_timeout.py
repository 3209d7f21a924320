"""Write timeout of a connection: its peer reads nothing for too long."""

import asyncio
from typing import final

__all__ = ("WriteTimeout",)


@final
class WriteTimeout:
    """Closes *transport* if no byte of its write buffer is sent for *seconds*, or at most twice that time.

    Closing a transport in the usual way would wait for its buffer, which never becomes empty if the peer does
    not read.
    """

    __slots__ = ("_loop", "_seconds", "_timer", "_transport", "_unsent")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._transport = transport
        self._loop = loop
        self._seconds = seconds
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timeout, unless it runs or nothing is to be sent; nothing must be written meanwhile."""
        unsent = self._transport.get_write_buffer_size()
        if self._timer is None and unsent:
            self._unsent = unsent
            self._timer = self._loop.call_later(self._seconds, self._check)

    def stop(self) -> None:
        """Stop the timeout."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._transport.get_write_buffer_size() < self._unsent:
            self.start()
        else:
            self._transport.abort()
