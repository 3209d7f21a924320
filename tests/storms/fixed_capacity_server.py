"""Server of known capacity."""

import asyncio
from typing import final

from typing_extensions import override

from benchmarks.storms.client.client import Response, Server
from benchmarks.storms.client.request import Request


@final
class FixedCapacityServer(Server):
    """A server that handles *slots* requests at a time, each of which takes *seconds*."""

    def __init__(self, slots: int, seconds: float) -> None:
        self._semaphore = asyncio.Semaphore(slots)
        self._seconds = seconds
        self.request_count = 0

    @override
    async def handle(self, request: Request) -> Response | None:
        self.request_count += 1
        async with self._semaphore:
            await asyncio.sleep(self._seconds)
        return Response(200)

    @override
    async def read(self, path: str) -> object:
        return {}
