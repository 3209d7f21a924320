"""A client that hangs up: nobody waits for the answer, so the work ends."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast, final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

__all__ = ("NoAnswer", "while_connected")

T = TypeVar("T")


@final
class NoAnswer(Response):
    """Sends nothing: there is nobody to read it."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave the connection alone."""


async def while_connected(receive: Receive, work: Awaitable[T]) -> T:
    """Await *work*; if the client hangs up first, cancel it, await its end and raise `ClientDisconnect`.

    The body must have been read, so that *receive* has nothing left to say but `http.disconnect`. Work that
    does not let itself be cancelled runs to its end, and its result is given. A cancellation from outside
    stays one.
    """
    watch = _Watch(receive)
    listener = asyncio.create_task(watch.listen())
    try:
        return await work
    except asyncio.CancelledError:
        if watch.is_the_only_reason:
            raise ClientDisconnect from None
        raise
    finally:
        # It is not awaited: it ends at the loop's next turn, and the answer need not wait for that.
        listener.cancel()
        watch.end()


@final
class _Watch:
    """Cancels the task that made it once the client is gone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._request = cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelled_before = self._request.cancelling()
        self._is_gone = False

    async def listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        self._request.cancel()

    @property
    def is_the_only_reason(self) -> bool:
        """Tell whether nobody else has cancelled the task."""
        return self._is_gone and self._request.cancelling() == self._cancelled_before + 1

    def end(self) -> None:
        """Take the cancellation back, as `asyncio.timeout` does: it has been dealt with."""
        if self._is_gone:
            self._request.uncancel()
