"""A gateway, and the services behind it as processes of their own, each of which can be killed or stopped."""

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.ledger.service_books import STATEFUL_SERVICES, Books
from tests.system.programs import Program, free_port
from tests.system.stack import SERVICES, Json

__all__ = ("FLEET", "Fleet", "fleet", "front")

FLEET: Final = ("user", "inventory", "payment", "fraud", "shipping", "account", "auth", "order")
"""Those without which nothing can be written; the others are never there."""


class _Service:
    """A service on a port that stays its own; those that keep books remember them beyond a kill."""

    def __init__(self, name: str, state: Path | None) -> None:
        self._arguments = (
            name,
            "--port",
            str(free_port()),
            *(() if state is None else ("--state", f"{state}")),
        )
        self.url = f"http://127.0.0.1:{self._arguments[2]}"
        self.program = self._started()

    def restart(self) -> None:
        self.program = self._started()
        self.program.read_line()

    def kill(self) -> None:
        self.program.__exit__(None, None, None)

    def _started(self) -> Program:
        return Program("mock_services", *self._arguments, environment={"MOCK_LATENCY_SCALE": "0.1"})


class Fleet:
    """The services of `FLEET`, on what they have in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._services = {
            name: _Service(name, folder / f"{name}.jsonl" if name in STATEFUL_SERVICES else None)
            for name in FLEET
        }
        for service in self._services.values():
            service.program.read_line()

    @property
    def url_of(self) -> dict[str, str]:
        nobody = f"http://127.0.0.1:{free_port()}"
        return dict.fromkeys(SERVICES, nobody) | {name: one.url for name, one in self._services.items()}

    async def kill(self, name: str, seconds: float) -> None:
        """Kill a service, and start it again so many seconds later."""
        service = self._services[name]
        await asyncio.to_thread(service.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(service.restart)

    async def stop(self, name: str, seconds: float) -> None:
        """Have a service stand still, with all that it is asked meanwhile."""
        process = self._services[name].program.process
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        process.send_signal(signal.SIGCONT)

    async def break_down(self, name: str, faults: Sequence[Json]) -> None:
        async with httpx.AsyncClient() as client:
            url = f"{self._services[name].url}/_mock/faults"
            (await client.put(url, json=faults)).raise_for_status()

    async def heal(self) -> None:
        for name in FLEET:
            await self.break_down(name, ())

    async def books(self) -> Books:
        found: dict[str, object] = {}
        async with httpx.AsyncClient() as client:
            for name in STATEFUL_SERVICES:
                found |= (await client.get(f"{self._services[name].url}/_mock/state")).json()
        return Books.model_validate(found)

    def end(self) -> None:
        for service in self._services.values():
            service.kill()


@contextmanager
def fleet(folder: Path) -> Generator[Fleet]:
    """Run the services."""
    services = Fleet(folder)
    try:
        yield services
    finally:
        services.end()


@contextmanager
def front(services: Fleet, **settings: int) -> Generator[str]:
    """Run a gateway in front of *services*; give its URL."""
    urls = {f"GATEWAY_{name.upper()}_URL": url for name, url in services.url_of.items()}
    environment = {"GATEWAY_PORT": "0", **urls} | {f"GATEWAY_{name}": f"{n}" for name, n in settings.items()}
    with Program("gateway", "serve", environment=environment) as program:
        url = program.read_line().split()[1]
        # It has much to say, and nobody else reads that.
        assert program.process.stderr
        threading.Thread(target=program.process.stderr.read, daemon=True).start()
        yield url
        program.process.terminate()
        program.process.wait()


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        yield client
