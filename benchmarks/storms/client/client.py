"""HTTP client that sends requests at a fixed rate (open loop) or with workers (closed loop)."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Final, NamedTuple, Protocol, final

import aiohttp
from typing_extensions import override

from benchmarks.storms.client.outcomes import DISCONNECTED, NO_RESPONSE, Outcome, Outcomes
from benchmarks.storms.client.request import Request

__all__ = ("Client", "Response", "Server", "open_client")

_TIMEOUT: Final = 10.0
"""Seconds that the client waits for a response."""
_KEEP_ALIVE: Final = 2.0
"""Seconds that an idle connection stays open: less than in the servers, so that none closes it in use."""
_COMPLETED: Final = "Gateway-Completed"
_MISSING_PARTS: Final = tuple(
    f'"{name}":null'.encode()
    for name in ("notifications", "engagement", "recommended", "notification", "analytics")
)
"""Missing parts as they appear in responses of plain FastAPI."""


class Response(NamedTuple):
    """A response; *is_complete* is False if the response marks an optional part as missing."""

    status: int
    location: str | None = None
    is_complete: bool = True


class Server(Protocol):
    """The server as seen by the client."""

    async def handle(self, request: Request) -> Response | None:
        """Return the response, or None if the server closes the connection without a response."""
        ...

    async def read(self, path: str) -> object:
        """Return the JSON at *path*, whatever the status."""
        ...


@final
class Client:
    """A client of a server, with any number of connections."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def send(self, request: Request, due: float | None = None) -> Outcome:
        """Send a request, and return its outcome, also for a timeout or a failed connection.

        The response time counts from *due*, a time on the loop's clock (default: now).
        """
        clock = asyncio.get_running_loop().time
        sent = clock()
        due = sent if due is None else due
        try:
            async with asyncio.timeout(request.disconnect_after or _TIMEOUT):
                response = await self._server.handle(request) or Response(NO_RESPONSE)
        except TimeoutError:
            response = Response(NO_RESPONSE if request.disconnect_after is None else DISCONNECTED)
        return Outcome(
            request, response.status, due, clock() - due, sent - due, response.location, response.is_complete
        )

    async def send_at_rate(
        self, requests: Iterator[Request], rate: float, seconds: float | None = None
    ) -> Outcomes:
        """Send *rate* requests a second, for *seconds* or until *requests* ends.

        No request waits for an earlier response. The response time of a request counts from the time at which
        it was due, even if it is sent late, so that a stalled server does not look fast ("coordinated
        omission").
        """
        loop = asyncio.get_running_loop()
        start, outcomes = loop.time(), list[Outcome]()
        count = None if seconds is None else max(1, round(rate * seconds))

        async def send(request: Request, due: float) -> None:
            outcomes.append(await self.send(request, due))

        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(islice(requests, count)):
                due = start + number / rate
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                group.create_task(send(request, due))
        return Outcomes(outcomes)

    async def send_with_workers(
        self, requests: Iterator[Request], workers: int, seconds: float, count: int | None = None
    ) -> Outcomes:
        """Let each of *workers* send requests in sequence, for *seconds* and at most *count* in total."""
        clock = asyncio.get_running_loop().time
        end, remaining, outcomes = clock() + seconds, islice(requests, count), list[Outcome]()

        async def work() -> None:
            for request in remaining:
                outcomes.append(await self.send(request))
                if clock() >= end:
                    return

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        return Outcomes(outcomes)

    async def send_concurrently(self, requests: Iterable[Request]) -> Outcomes:
        """Send all *requests* at the same time."""
        return Outcomes(await asyncio.gather(*(self.send(request) for request in requests)))

    async def read(self, path: str) -> object:
        """Return the JSON at *path*, whatever the status."""
        return await self._server.read(path)


@final
class _HttpServer(Server):
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @override
    async def handle(self, request: Request) -> Response | None:
        try:
            async with self._session.request(
                request.method, request.path, data=request.body, headers=request.headers
            ) as response:
                body = await response.read()
                return Response(
                    response.status, response.headers.get("location"), _is_complete(response, body)
                )
        except aiohttp.ClientError:
            return None

    @override
    async def read(self, path: str) -> object:
        async with self._session.get(path) as response:
            found: object = await response.json(content_type=None)
            return found


def _is_complete(response: aiohttp.ClientResponse, body: bytes) -> bool:
    completed = response.headers.get(_COMPLETED)
    return not any(part in body for part in _MISSING_PARTS) if completed is None else completed == "true"


@asynccontextmanager
async def open_client(url: str) -> AsyncGenerator[Client]:
    """Open a client for the server at *url*."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE)
    timeout = aiohttp.ClientTimeout()
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
        yield Client(_HttpServer(session))
