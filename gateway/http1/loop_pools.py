"""Pools of the connections that belong to one event loop."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Self, final

from gateway.http1.pool import Pool, wait_closed
from gateway.http1.prepared_request import Origin

__all__ = ("LoopPools",)


@final
class LoopPools:
    """Pools of the connections that are made in *loop*, by origin.

    `aclose` closes them, and so does the end of a loop that `asyncio.run` or `asyncio.Runner` has created.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        self.by_origin: Final[dict[Origin, Pool]] = {}
        self._closer = _close_at_end(self.by_origin)

    @classmethod
    async def open(cls) -> Self:
        """Create pools for the running loop."""
        opened = cls(asyncio.get_running_loop())
        await anext(opened._closer)
        return opened

    async def make_room(self) -> bool:
        """Close the connection of each pool that has been idle for the longest time, if it has one.

        Return False if there are no idle connections.
        """
        closing = [pool.close_longest_idle() for pool in self.by_origin.values()]
        closed = [connection for connection in closing if connection is not None]
        await wait_closed(closed)
        return bool(closed)

    async def aclose(self) -> None:
        """Close all connections; requests that are being sent fail."""
        await self._closer.aclose()


async def _close_at_end(pools: dict[Origin, Pool]) -> AsyncGenerator[None]:
    """Close *pools* when the generator is closed.

    At its end, a loop closes the generators that have been started in it (`loop.shutdown_asyncgens`): the
    only public way to learn that a loop ends.
    """
    try:
        yield
    finally:
        for pool in [*pools.values()]:
            await pool.aclose()
        pools.clear()
