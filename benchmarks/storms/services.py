"""Mock services as child processes: inject faults, kill them, and read their call counts and state."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import aiohttp
from yarl import URL

from benchmarks.storms.process import Process
from gateway.services import SERVICES

__all__ = ("Services", "run_services")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

_STATEFUL: Final = frozenset({"inventory", "payment", "account", "order", "notification", "analytics"})
_ALL: Final = "all"

NAMES: Final = tuple(service.name for service in SERVICES)


@final
class Services:
    """All mock services in a single process, or in separate processes that persist writes in *folder*."""

    def __init__(self, folder: Path, control: aiohttp.ClientSession) -> None:
        self._folder = folder
        self._control = control
        self._processes: dict[str, Process] = {}
        self.urls: dict[str, str] = {}

    async def start_in_one_process(self) -> None:
        """Start all services in a single process."""
        process = self._processes[_ALL] = self._start(_ALL, "--base-port", "0")
        _, *words, _ = (await process.first_line()).split()
        self.urls.update(zip(words[::2], words[1::2], strict=True))

    async def start_separately(self) -> None:
        """Start each service in its own process."""
        self.urls.update((name, f"http://127.0.0.1:{_free_port()}") for name in NAMES)
        await asyncio.gather(*(self.restart(name) for name in NAMES))

    async def restart(self, name: str) -> None:
        """Start the process of a service, and wait until it is ready."""
        state = ("--state", f"{self._folder / name}.jsonl") if name in _STATEFUL else ()
        process = self._start(name, "--port", f"{URL(self.urls[name]).port}", *state)
        self._processes[name] = process
        await process.first_line()

    async def kill(self, name: str = _ALL) -> None:
        """Send SIGKILL to the process of a service."""
        await self._processes.pop(name).kill()

    async def stop(self) -> None:
        """Stop all processes."""
        for name in tuple(self._processes):
            await self.kill(name)

    async def inject_fault(self, name: str, kind: str, path: str = "/", **options: Json) -> None:
        """Replace the faults of a service by a fault for every path that starts with *path*.

        *options* are further members of the fault, such as *times*, the number of calls that get the fault.
        """
        await self._replace_faults(name, [{"path_prefix": path, "kind": kind, **options}])

    async def clear_faults(self, name: str) -> None:
        """Remove all faults of a service."""
        await self._replace_faults(name, [])

    async def count_calls(self, name: str) -> Counter[str]:
        """Return the number of calls that a service received since its start, by operation."""
        return Counter(call["operation"] for call in await self.list_calls(name))

    async def list_calls(self, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the calls that a service received since its start."""
        async with self._control.get(f"{self.urls[name]}/_mock/calls") as response:
            calls: Sequence[Mapping[str, Any]] = await response.json()
            return calls

    async def fetch_state(self, name: str) -> Mapping[str, Any]:
        """Return the state of a service: the data that writes can change."""
        async with self._control.get(f"{self.urls[name]}/_mock/state") as response:
            state: Mapping[str, Any] = await response.json()
            return state

    @property
    def ports(self) -> frozenset[int]:
        """The ports of all services."""
        return frozenset(URL(url).port or 0 for url in self.urls.values())

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that all services have used, in seconds."""
        return sum(process.cpu_seconds for process in self._processes.values())

    def _start(self, *arguments: str) -> Process:
        log = self._folder / f"{arguments[0]}.log"
        return Process("mock_services", *arguments, "--exit-with-stdin", environment={}, log=log)

    async def _replace_faults(self, name: str, faults: Sequence[Json]) -> None:
        async with self._control.put(f"{self.urls[name]}/_mock/faults", json=faults) as response:
            response.raise_for_status()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@asynccontextmanager
async def run_services(folder: Path, *, separately: bool) -> AsyncGenerator[Services]:
    """Run the services, each in its own process if *separately* is True, else all in one; yield them."""
    async with aiohttp.ClientSession() as control:
        running = Services(folder, control)
        try:
            await (running.start_separately() if separately else running.start_in_one_process())
            yield running
        finally:
            await running.stop()
