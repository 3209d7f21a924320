"""Pools of the connections that belong to one event loop."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final, Self, final

from gateway.http1.pool import Pool
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
