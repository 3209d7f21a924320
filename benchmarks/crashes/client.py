"""Clients of the gateways: most repeat their requests until they have a final answer."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, final

import aiohttp

from benchmarks.crashes.answer import Answer, Exchange
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.write_request import WriteRequest
from tests.ledger.service_books import Execution, Executions

__all__ = ("PATIENCE", "Client", "open_client")

PATIENCE: Final = 90.0
"""Seconds in which every client must have its answer."""

_TIMEOUT: Final = 12.0
_PAUSE: Final = (0.05, 0.3)
_PAGE: Final = 100


@final
class Client:
    """Client of the gateways whose URLs *list_urls* returns."""

    def __init__(
        self, session: aiohttp.ClientSession, list_urls: Callable[[], Sequence[str]], random: SeededRandom
    ) -> None:
        self._session = session
        self._list_urls = list_urls
        self._random = random

    async def insist(self, request: WriteRequest) -> Exchange:
        """Send a request, again and again, until the answer is final or the patience ends."""
        exchange = Exchange(request)
        clock = asyncio.get_running_loop().time
        start = clock()
        while clock() - start < PATIENCE:
            answer = await self.send(request)
            exchange.attempts += 1
            exchange.seconds = clock() - start
            if answer is not None:
                if answer.is_final:
                    exchange.answer = answer
                    break
                exchange.seen.append(answer)
            await asyncio.sleep(self._random.uniform(*_PAUSE))
        return exchange

    async def send_and_go(self, request: WriteRequest) -> Exchange:
        """Send a request once, and disconnect after a moment, or after a broken connection."""
        exchange = Exchange(request, is_faithful=False)
        seconds = self._random.uniform(0.02, 0.6) if self._random.happens(0.5) else _TIMEOUT
        answer = await self.send(request, seconds)
        if answer is not None and answer.is_final:
            exchange.answer = answer
        elif answer is not None:
            exchange.seen.append(answer)
        return exchange

    async def send(self, request: WriteRequest, seconds: float = _TIMEOUT) -> Answer | None:
        """Return the answer of a gateway, or None if there is none, for example because it is killed."""
        urls = self._list_urls()
        return await self.send_to(self._random.choice(urls), request, seconds) if urls else None

    async def send_to(self, url: str, request: WriteRequest, seconds: float = _TIMEOUT) -> Answer | None:
        """Return the answer of the gateway at *url*, or None if there is none."""
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.post(
                    f"{url}{request.path}", json=request.body, headers=request.headers
                ) as sent,
            ):
                headers = {name.lower(): value for name, value in sent.headers.items()}
                return Answer(sent.status, headers, await sent.read())
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def list_executions(self, state: str | None = None) -> Sequence[Execution]:
        """Return all executions, or those in *state*."""
        found: list[Execution] = []
        query = {"limit": f"{_PAGE}"} | ({} if state is None else {"state": state})
        cursor: str | None = ""
        while cursor is not None:
            query |= {"cursor": cursor} if cursor else {}
            async with self._session.get(f"{self._list_urls()[0]}/executions", params=query) as response:
                response.raise_for_status()
                page = Executions.model_validate_json(await response.read())
            found += page.executions
            cursor = page.cursor
        return found

    async def retry(self, execution_id: str) -> int:
        """Let an operator retry the undo of a stuck execution; return the status."""
        async with self._session.post(f"{self._list_urls()[0]}/executions/{execution_id}/retry") as response:
            return response.status

    async def read_readiness(self, url: str) -> str:
        """Return the state of health of the gateway at *url*."""
        async with self._session.get(f"{url}/health/ready") as response:
            return await response.text()


@asynccontextmanager
async def open_client(list_urls: Callable[[], Sequence[str]], random: SeededRandom) -> AsyncGenerator[Client]:
    """Open a client, whose connections are not used twice: a gateway that is killed breaks them."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Client(session, list_urls, random)
