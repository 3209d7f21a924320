"""Gateways as processes that are killed and started again."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, final

from benchmarks.crashes.workload import Workload
from benchmarks.storms.process import Process

__all__ = ("KILLABLE", "Gateway", "Gateways")

KILLABLE: Final = ("--app", "benchmarks.crashes.killable_gateway:app")
"""Arguments of `gateway serve` for a gateway that kills itself, instead of those of the workload."""

_TRACEBACK: Final = "Traceback (most recent call last)"
_LOGGED: Final = {
    "recoveries": "was cut short: undoing it",
    "take-overs noticed by the process that was taken over": "was taken over by another process",
    "executions that got stuck": "is stuck",
}


@final
class Gateway:
    """One gateway: a process of `gateway serve`, and its successors after each kill.

    *url* is None until the process is ready.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._arguments = ("serve", "--port", "0", *arguments)
        self.environment: Final = dict(environment)
        self._log = log
        self._process: Process | None = None
        self.url: str | None = None

    @property
    def process(self) -> Process:
        """The process, which has been started."""
        assert self._process is not None  # noqa: S101 - for the type checkers
        return self._process

    def spawn(self, **environment: str) -> None:
        """Start the process; it is not ready yet."""
        self._process = Process(
            "gateway", *self._arguments, environment={**self.environment, **environment}, log=self._log
        )

    async def wait_until_ready(self) -> str:
        """Wait until the process accepts requests; return its URL."""
        self.url = (await self.process.first_line()).split()[1]
        return self.url

    async def start(self, **environment: str) -> str:
        """Start the process, and wait until it is ready; return its URL."""
        self.spawn(**environment)
        return await self.wait_until_ready()

    async def kill(self) -> None:
        """Kill the process with SIGKILL, unless it has ended."""
        self.url = None
        if self._process is not None:
            process, self._process = self._process, None
            await process.kill()


@final
class Gateways:
    """A number of gateways that share a journal, in front of the services of *workload*."""

    def __init__(
        self, count: int, workload: Workload, journal_url: str, folder: Path, arguments: Sequence[str] = ()
    ) -> None:
        self._folder = folder
        environment = {
            "GATEWAY_JOURNAL_URL": journal_url,
            "GATEWAY_DRAIN_MS": "0",
            **workload.environment,
        }
        self.all: Final = [
            Gateway(arguments or workload.arguments, environment, folder / f"gateway-{number}.log")
            for number in range(1, count + 1)
        ]

    def list_urls(self) -> Sequence[str]:
        """Return the URLs of the gateways that are ready."""
        return [gateway.url for gateway in self.all if gateway.url is not None]

    async def start(self) -> None:
        """Start all gateways that do not run."""
        await asyncio.gather(*(gateway.start() for gateway in self.all if gateway.url is None))

    async def kill(self) -> None:
        """Kill all gateways."""
        await asyncio.gather(*(gateway.kill() for gateway in self.all))

    def read_logs(self) -> str:
        """Return what the gateways have logged."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("gateway-*.log")))

    def count_logged(self) -> Mapping[str, int]:
        """Return how often the gateways have logged events of recovery."""
        logs = self.read_logs()
        return {name: logs.count(text) for name, text in _LOGGED.items()}

    def list_bugs(self) -> Sequence[str]:
        """Return the uncaught exceptions that the gateways have logged."""
        _, *bugs = self.read_logs().split(_TRACEBACK)
        return [f"uncaught exception: {bug[-600:]}" for bug in bugs]
