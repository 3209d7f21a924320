"""Whoever sends the requests: at a fixed rate, or as many at once as there are workers."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final, final

import aiohttp

from benchmarks.storms.answers import LEFT, NONE, Answer, Answers
from benchmarks.storms.request import Request

__all__ = ("Client", "client")

_PATIENCE: Final = 10.0
"""Seconds after which whoever asks gives up."""
_KEEP_ALIVE: Final = 2.0
"""Seconds that a connection is kept: less than any server does, so that none is closed under a request."""


@final
class Client:
    """Sends requests to one server, on as many connections as it takes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, request: Request, due: float | None = None) -> Answer:
        """Send one request; its time counts from when it was *due*, by default now."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        begun = sent if due is None else due
        late = sent - begun
        try:
            async with (
                asyncio.timeout(request.leaves or _PATIENCE),
                self._session.request(
                    request.method, request.path, data=request.body, headers=request.headers
                ) as response,
            ):
                await response.read()
                location = response.headers.get("location")
                return Answer(request, response.status, begun, clock() - begun, late, location)
        except TimeoutError:
            return Answer(request, NONE if request.leaves is None else LEFT, begun, clock() - begun, late)
        except aiohttp.ClientError:
            return Answer(request, NONE, begun, clock() - begun, late)

    async def steadily(
        self, requests: Iterator[Request], rate: float, seconds: float | None = None
    ) -> Answers:
        """Send *rate* requests a second, for so many *seconds* or as long as there are any.

        Nothing waits for an answer to an earlier one, and a request that is sent late counts from when it was
        due, so that a server which stands still is not asked less for it ("coordinated omission").
        """
        loop = asyncio.get_running_loop()
        start, answers = loop.time(), list[Answer]()
        count = None if seconds is None else max(1, round(rate * seconds))

        async def one(request: Request, due: float) -> None:
            answers.append(await self.ask(request, due))

        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(islice(requests, count)):
                due = start + number / rate
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(one(request, due))
        return Answers(answers)

    async def busily(
        self, requests: Iterator[Request], workers: int, seconds: float, count: int | None = None
    ) -> Answers:
        """Have *workers* send one request after the other, for so many seconds and *count* at most."""
        clock = asyncio.get_running_loop().time
        end, left, answers = clock() + seconds, islice(requests, count), list[Answer]()

        async def work() -> None:
            for request in left:
                answers.append(await self.ask(request))
                if clock() >= end:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        return Answers(answers)

    async def at_once(self, requests: Iterable[Request]) -> Answers:
        """Send all of these requests at the same time."""
        return Answers(await asyncio.gather(*(self.ask(request) for request in requests)))

    async def read(self, path: str) -> object:
        """Give the JSON at a path, whatever its status."""
        async with self._session.get(path) as response:
            found: object = await response.json(content_type=None)
            return found


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[Client]:
    """Make a client of the server at *url*."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE)
    timeout = aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield Client(session)
