"""Deployment: a running target, the mock services behind it, and a client."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Final, cast

from benchmarks.storms.client.client import Client, open_client
from benchmarks.storms.client.outcomes import Outcomes
from benchmarks.storms.client.request import CHECKOUT, Request
from benchmarks.storms.process import Process
from benchmarks.storms.services import Services, run_services
from benchmarks.storms.targets.inspection import INSPECTION_PATH

__all__ = ("GATEWAY", "PLAIN_FASTAPI", "Deployment", "Target", "deploy", "wait_until")

_POLL: Final = 0.1
_BURST: Final = 100
_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Target:
    """A program that serves the five routes: *module* is run in a child process."""

    name: str
    module: str
    is_gateway: bool


GATEWAY: Final = Target("fanout-gateway", "benchmarks.storms.targets.gateway_target", is_gateway=True)
PLAIN_FASTAPI: Final = Target("plain FastAPI", "benchmarks.storms.targets.plain_fastapi", is_gateway=False)


@dataclass(frozen=True)
class Deployment:
    """A running target, the services behind it, and a client."""

    target: Target
    process: Process
    services: Services
    client: Client

    async def count_tasks(self) -> int:
        """Return the number of asyncio tasks of the target, after a garbage collection."""
        return cast("dict[str, int]", await self.client.read(INSPECTION_PATH))["tasks"]

    async def find_open_breakers(self) -> list[str]:
        """Return the circuit breakers that are not closed, such as "user (breaker)"; [] for plain FastAPI."""
        if not self.target.is_gateway:
            return []
        health = cast("dict[str, dict[str, list[dict[str, str]]]]", await self.client.read("/health/ready"))
        return [
            f"{name} ({kind})"
            for name, [check] in health["checks"].items()
            for kind in ("breaker", "optionalBreaker")
            if check.get(kind, "closed") != "closed"  # the check of the journal has no breakers
        ]

    @property
    def connections(self) -> int:
        """The number of connections from the target to the services."""
        return self.process.connections_to(self.services.ports)

    @property
    def tracebacks(self) -> int:
        """The number of tracebacks in the log of the target."""
        return self.process.log.read_text().count(_TRACEBACK)

    async def measure_memory(self) -> float:
        """Return the resident memory of the target in MiB, after a garbage collection."""
        await self.client.read(INSPECTION_PATH)
        return self.process.resident_mib

    async def send_burst(self) -> Outcomes:
        """Send 100 checkouts at once, as many as httpx's default pool has connections."""
        return await self.client.send_concurrently(repeat(CHECKOUT, _BURST))

    async def warm_up(self, *requests: Request) -> None:
        """Send each of *requests* up to 40 times, to open connections and to finish lazy initialization."""
        for request in requests:
            await self.client.send_with_workers(repeat(request), workers=8, seconds=5, count=40)


async def wait_until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Poll *condition* for at most *seconds*; return True if it became true."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while not await condition():
        if clock() > end:
            return False
        await asyncio.sleep(_POLL)
    return True


@asynccontextmanager
async def deploy(
    target: Target, *, separate_services: bool = False, **settings: str
) -> AsyncGenerator[Deployment]:
    """Run *target* with *settings* and the services behind it, and yield the deployment.

    The services share a process unless *separate_services* is True.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with run_services(folder, separately=separate_services) as services:
            urls = {f"GATEWAY_{service.upper()}_URL": url for service, url in services.urls.items()}
            process = Process(target.module, environment={**urls, **settings}, log=folder / "target.log")
            try:
                url = await process.first_line()
                async with open_client(url) as client:
                    yield Deployment(target, process, services, client)
            finally:
                await process.kill()
