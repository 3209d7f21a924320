"""The mock services as real processes, which can be broken, killed and asked what they have seen."""

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
from gateway.settings import SERVICES

__all__ = ("Services", "services")

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

_WRITTEN_TO: Final = frozenset({"inventory", "payment", "account", "order", "notification", "analytics"})
_ALL: Final = "all"


@final
class Services:
    """All mock services: in one process, or each in its own, which then remembers its books in *folder*."""

    def __init__(self, folder: Path, control: aiohttp.ClientSession) -> None:
        self._folder = folder
        self._control = control
        self._processes: dict[str, Process] = {}
        self.urls: dict[str, str] = {}

    async def start_together(self) -> None:
        """Start one process for all."""
        process = self._processes[_ALL] = self._started(_ALL, "--base-port", "0")
        _, *words, _ = (await process.first_line()).split()
        self.urls.update(zip(words[::2], words[1::2], strict=True))

    async def start_apart(self) -> None:
        """Start a process for each, all at once."""
        self.urls.update((name, f"http://127.0.0.1:{_free_port()}") for name in SERVICES)
        await asyncio.gather(*(self.restart(name) for name in SERVICES))

    async def restart(self, name: str) -> None:
        """Start the process of one service, which has none; return once it answers."""
        kept = ("--state", f"{self._folder / name}.jsonl") if name in _WRITTEN_TO else ()
        process = self._started(name, "--port", f"{URL(self.urls[name]).port}", *kept)
        self._processes[name] = process
        await process.first_line()

    async def kill(self, name: str = _ALL) -> None:
        """End the process of one service, and at once."""
        await self._processes.pop(name).kill()

    async def end(self) -> None:
        """End all of them."""
        for name in tuple(self._processes):
            await self.kill(name)

    async def break_down(self, name: str, kind: str, path: str = "/", **how: Json) -> None:
        """Have one service do nothing but this at every *path* that begins so, until it is healed.

        With *times* it is healed after so many calls.
        """
        await self._replace_faults(name, [{"path_prefix": path, "kind": kind, **how}])

    async def heal(self, name: str) -> None:
        """Have one service do as it should."""
        await self._replace_faults(name, [])

    async def calls(self, name: str) -> Counter[str]:
        """Count what was asked of one service since it started, by operation."""
        async with self._control.get(f"{self.urls[name]}/_mock/calls") as answer:
            return Counter(call["operation"] for call in await answer.json())

    async def books(self, name: str) -> Mapping[str, Any]:
        """Give what has been written to one service."""
        async with self._control.get(f"{self.urls[name]}/_mock/state") as answer:
            found: Mapping[str, Any] = await answer.json()
            return found

    @property
    def ports(self) -> frozenset[int]:
        """Say where they listen."""
        return frozenset(URL(url).port or 0 for url in self.urls.values())

    @property
    def worked(self) -> float:
        """Give the seconds of CPU that they have had."""
        return sum(process.worked for process in self._processes.values())

    def _started(self, *arguments: str) -> Process:
        log = self._folder / f"{arguments[0]}.log"
        return Process("mock_services", *arguments, "--exit-with-stdin", environment={}, log=log)

    async def _replace_faults(self, name: str, faults: Sequence[Json]) -> None:
        async with self._control.put(f"{self.urls[name]}/_mock/faults", json=faults) as answer:
            answer.raise_for_status()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@asynccontextmanager
async def services(folder: Path, *, apart: bool) -> AsyncGenerator[Services]:
    """Run the services; *apart* gives each a process of its own."""
    async with aiohttp.ClientSession() as control:
        found = Services(folder, control)
        try:
            await (found.start_apart() if apart else found.start_together())
            yield found
        finally:
            await found.end()
