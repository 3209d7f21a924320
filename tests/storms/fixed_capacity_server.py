"""A server that answers so many requests at once, each after so long."""

import asyncio
from typing import final

from typing_extensions import override

from benchmarks.storms.client import Reply, Server
from benchmarks.storms.request import Request


@final
class Slots(Server):
    """It answers *slots* requests at a time, each *seconds* after its turn has come."""

    def __init__(self, slots: int, seconds: float) -> None:
        self._turn = asyncio.Semaphore(slots)
        self._seconds = seconds
        self.asked = 0

    @override
    async def reply(self, request: Request) -> Reply | None:
        self.asked += 1
        async with self._turn:
            await asyncio.sleep(self._seconds)
        return Reply(200)

    @override
    async def read(self, path: str) -> object:
        return {}
