"""A gateway and its services as processes; each service can be killed or suspended."""

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

__all__ = ("FLEET", "Fleet", "client_of", "run_fleet", "run_gateway")

FLEET: Final = ("user", "inventory", "payment", "fraud", "shipping", "account", "auth", "order")
"""The services that the writing pipelines need; the others are never started."""


class _Service:
    """A service on a fixed port; with a *state* file, its state survives a kill."""

    def __init__(self, name: str, state: Path | None) -> None:
        self._arguments = (
            name,
            "--port",
            str(free_port()),
            *(() if state is None else ("--state", f"{state}")),
        )
        self.url = f"http://127.0.0.1:{self._arguments[2]}"
        self.program = self._start()

    def restart(self) -> None:
        self.program = self._start()
        self.program.read_line()

    def kill(self) -> None:
        self.program.__exit__(None, None, None)

    def _start(self) -> Program:
        return Program("mock_services", *self._arguments, environment={"MOCK_LATENCY_SCALE": "0.1"})


class Fleet:
    """The services of `FLEET`, with their state files in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._services = {
            name: _Service(name, folder / f"{name}.jsonl" if name in STATEFUL_SERVICES else None)
            for name in FLEET
        }
        for service in self._services.values():
            service.program.read_line()

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of all services by name; URLs of services outside `FLEET` refuse connections."""
        dead_url = f"http://127.0.0.1:{free_port()}"
        running = {name: service.url for name, service in self._services.items()}
        return dict.fromkeys(SERVICES, dead_url) | running

    async def kill(self, name: str, seconds: float) -> None:
        """Kill the service *name*, and restart it after *seconds*."""
        service = self._services[name]
        await asyncio.to_thread(service.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(service.restart)

    async def stop(self, name: str, seconds: float) -> None:
        """Suspend the process of the service *name*, and continue it after *seconds*."""
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
        state: dict[str, object] = {}
        async with httpx.AsyncClient() as client:
            for name in STATEFUL_SERVICES:
                state |= (await client.get(f"{self._services[name].url}/_mock/state")).json()
        return Books.model_validate(state)

    def end(self) -> None:
        for service in self._services.values():
            service.kill()


@contextmanager
def run_fleet(folder: Path) -> Generator[Fleet]:
    """Run the services of `FLEET`."""
    fleet = Fleet(folder)
    try:
        yield fleet
    finally:
        fleet.end()


@contextmanager
def run_gateway(services: Fleet, **settings: int) -> Generator[str]:
    """Run a gateway that calls *services*; yield its URL."""
    urls = {f"GATEWAY_{name.upper()}_URL": url for name, url in services.urls.items()}
    environment = {"GATEWAY_PORT": "0", **urls} | {f"GATEWAY_{name}": f"{n}" for name, n in settings.items()}
    with Program("gateway", "serve", environment=environment) as program:
        url = program.read_line().split()[1]
        # Without a reader, the log lines would fill the pipe of standard error and block the gateway.
        assert program.process.stderr
        threading.Thread(target=program.process.stderr.read, daemon=True).start()
        yield url
        program.process.terminate()
        program.process.wait()


@asynccontextmanager
async def client_of(url: str) -> AsyncGenerator[httpx.AsyncClient]:
    """Open a client for the gateway at *url*, with no limit on the number of connections."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        yield client
