"""Cancellation of a request's work when its client disconnects."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast, final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

__all__ = ("NoResponse", "run_while_connected")

T = TypeVar("T")


@final
class NoResponse(Response):
    """Response for a client that has disconnected; it sends nothing."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def run_while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """Return the result of *work*; if the client disconnects first, cancel *work*, raise `ClientDisconnect`.

    The body must have been read, so that the next message of *receive* is `http.disconnect`. Cancelled work
    is awaited; if it suppresses the cancellation, its result is returned. If the caller is cancelled for
    another reason, `CancelledError` is raised.
    """
    watch = _DisconnectWatch(receive)
    listener = asyncio.create_task(watch.listen())
    try:
        return await work
    except asyncio.CancelledError:
        if watch.is_only_canceller:
            raise ClientDisconnect from None
        raise
    finally:
        # The response need not wait for the listener, which ends in the next iteration of the event loop.
        listener.cancel()
        watch.uncancel()


@final
class _DisconnectWatch:
    """Watch for the client's disconnect; the task that created the watch is then cancelled."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelled_before = self._task.cancelling()
        self._is_disconnected = False

    async def listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_disconnected = True
        self._task.cancel()

    @property
    def is_only_canceller(self) -> bool:
        """Return whether the disconnect is the only reason why the task was cancelled."""
        return self._is_disconnected and self._task.cancelling() == self._cancelled_before + 1

    def uncancel(self) -> None:
        """Undo the task's cancellation, which has been handled, as `asyncio.timeout` does."""
        if self._is_disconnected:
            # Otherwise the task still counts as cancelled, and with the first releases of Python 3.11 a later
            # `asyncio.timeout` in it raises CancelledError instead of TimeoutError (python/cpython#102780).
            self._task.uncancel()
