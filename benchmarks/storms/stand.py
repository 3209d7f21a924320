"""A target before the mock services, and what can be seen of it from outside."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final, cast

from benchmarks.storms.answers import Answers
from benchmarks.storms.client import Client, client
from benchmarks.storms.inside import INSIDE
from benchmarks.storms.process import Process
from benchmarks.storms.request import CHECKOUT, Request
from benchmarks.storms.services import Services, services

__all__ = ("OURS", "PLAIN", "Stand", "Target", "eventually", "stand")

_POLL: Final = 0.1
_BURST: Final = 100
_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Target:
    """A program that serves the five routes."""

    name: str
    module: str
    is_ours: bool


OURS: Final = Target("fanout-gateway", "benchmarks.storms.ours", is_ours=True)
PLAIN: Final = Target("plain FastAPI", "benchmarks.storms.plain", is_ours=False)


@dataclass(frozen=True)
class Stand:
    """A target that runs, the services behind it, and a client before it."""

    target: Target
    process: Process
    services: Services
    client: Client

    async def tasks(self) -> int:
        """Count the tasks of the target's loop; let its garbage be collected."""
        return cast("dict[str, int]", await self.client.read(INSIDE))["tasks"]

    async def open_breakers(self) -> list[str]:
        """Name the services of which a breaker is not closed; a target without breakers has none open."""
        if not self.target.is_ours:
            return []
        health = cast("dict[str, dict[str, list[dict[str, str]]]]", await self.client.read("/health/ready"))
        return [
            f"{name} ({kind})"
            for name, [check] in health["checks"].items()
            for kind in ("breaker", "optionalBreaker")
            if check[kind] != "closed"
        ]

    @property
    def connections(self) -> int:
        """Count the target's connections to the services."""
        return self.process.connections_to(self.services.ports)

    @property
    def tracebacks(self) -> int:
        """Count what nobody in the target has caught."""
        return self.process.log.read_text().count(_TRACEBACK)

    async def resident(self) -> float:
        """Give how much memory is resident, in MiB, once its garbage has been collected."""
        await self.client.read(INSIDE)
        return self.process.resident

    async def burst(self) -> Answers:
        """Make a hundred checkouts at once, which is as many as httpx's stock pool has connections."""
        return await self.client.at_once(repeat(CHECKOUT, _BURST))

    async def warm_up(self, *requests: Request) -> None:
        """Open connections, and have whatever is made once made."""
        for request in requests:
            await self.client.busily(repeat(request), workers=8, seconds=5, count=40)


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Say whether something comes true within so many seconds."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while not await condition():
        if clock() > end:
            return False
        await asyncio.sleep(_POLL)
    return True


@asynccontextmanager
async def stand(target: Target, *, apart: bool = False, **settings: str) -> AsyncGenerator[Stand]:
    """Run *target* with *settings*, and the services behind it, *apart* in a process each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with services(folder, apart=apart) as running:
            urls = {f"GATEWAY_{service.upper()}_URL": url for service, url in running.urls.items()}
            process = Process(target.module, environment={**urls, **settings}, log=folder / "target.log")
            try:
                url = await process.first_line()
                async with client(url) as asking:
                    yield Stand(target, process, running, asking)
            finally:
                await process.kill()
