"""Whoever sends the requests: at a fixed rate, or as many at once as there are workers."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final, NamedTuple, Protocol, final

import aiohttp
from typing_extensions import override

from benchmarks.storms.answers import LEFT, NONE, Answer, Answers
from benchmarks.storms.request import Request

__all__ = ("Client", "Reply", "Server", "client")

_PATIENCE: Final = 10.0
"""Seconds after which whoever asks gives up."""
_KEEP_ALIVE: Final = 2.0
"""Seconds that a connection is kept: less than any server does, so that none is closed under a request."""
_COMPLETED: Final = "Gateway-Completed"
_MISSING: Final = tuple(
    f'"{name}":null'.encode()
    for name in ("notifications", "engagement", "recommended", "notification", "analytics")
)
"""How plain FastAPI says that something is missing."""


class Reply(NamedTuple):
    """What a server has said; *whole* is that it does not say that something is missing."""

    status: int
    location: str | None = None
    whole: bool = True


class Server(Protocol):
    """Whoever is asked."""

    async def reply(self, request: Request) -> Reply | None:
        """Give its answer, or None if it ends the connection without one."""
        ...

    async def read(self, path: str) -> object:
        """Give the JSON at a path, whatever its status."""
        ...


@final
class Client:
    """Sends requests to one server, on as many connections as it takes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def ask(self, request: Request, due: float | None = None) -> Answer:
        """Send one request; its time counts from when it was *due*, by default now."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        begun = sent if due is None else due
        late = sent - begun
        try:
            async with asyncio.timeout(request.leaves or _PATIENCE):
                reply = await self._server.reply(request) or Reply(NONE)
        except TimeoutError:
            reply = Reply(NONE if request.leaves is None else LEFT)
        return Answer(request, reply.status, begun, clock() - begun, late, reply.location, reply.whole)

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
        return await self._server.read(path)


@final
class _Connected(Server):
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @override
    async def reply(self, request: Request) -> Reply | None:
        try:
            async with self._session.request(
                request.method, request.path, data=request.body, headers=request.headers
            ) as response:
                body = await response.read()
                return Reply(response.status, response.headers.get("location"), _is_whole(response, body))
        except aiohttp.ClientError:
            return None

    @override
    async def read(self, path: str) -> object:
        async with self._session.get(path) as response:
            found: object = await response.json(content_type=None)
            return found


def _is_whole(response: aiohttp.ClientResponse, body: bytes) -> bool:
    said = response.headers.get(_COMPLETED)
    return not any(field in body for field in _MISSING) if said is None else said == "true"


@asynccontextmanager
async def client(url: str) -> AsyncGenerator[Client]:
    """Make a client of the server at *url*."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE)
    timeout = aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield Client(_Connected(session))
