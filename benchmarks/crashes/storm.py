"""Gateways that are killed at random moments, under clients that repeat their requests."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.crashes.answer import Exchange
from benchmarks.crashes.client import Client, open_client
from benchmarks.crashes.gateways import KILLABLE, Gateway, Gateways
from benchmarks.crashes.journal import JournalName, Journals
from benchmarks.crashes.judge import judge
from benchmarks.crashes.report import CrashReport, format_seconds
from benchmarks.crashes.seeded_random import SeededRandom
from benchmarks.crashes.workload import RunWorkload, Workload
from benchmarks.crashes.write_request import WriteRequest

__all__ = ("Storm", "run_storm")

_STARTING: Final = 0.15
"""Share of the kills that meet a gateway during its start."""

_GONE: Final = 1 / 3
"""Share of the clients that never come back."""

_CLIENTS: Final = 16
_PROGRESS: Final = 15.0


@dataclass(frozen=True)
class Storm:
    """A number of *executions* and *kills*, drawn from *seed*.

    Each gateway lives for up to *lifetime* seconds once it is ready. If *silence* is given, gateways take
    each other for dead after that time, in seconds.
    """

    executions: int
    kills: int
    gateways: int
    journal: JournalName
    workload: str = "shop"
    seed: str = "1"
    lifetime: float = 1.5
    heartbeat_timeout: float | None = None

    @property
    def conditions(self) -> str:
        """The conditions of the run."""
        gateways = "1 gateway" if self.gateways == 1 else f"{self.gateways} gateways"
        silence = (
            "" if self.heartbeat_timeout is None else f", dead after {self.heartbeat_timeout:g} s of silence"
        )
        lifetime = f"up to {self.lifetime:g} s each{silence}"
        return f"storm: {self.workload}, {self.journal}, {gateways}, {lifetime}, seed {self.seed}"


async def run_storm(storm: Storm, run_workload: RunWorkload, journals: Journals) -> CrashReport:
    """Run a storm, and judge what is left."""
    report = CrashReport(storm.conditions)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with run_workload(folder) as workload:
            gateways = _create_gateways(storm, workload, journals.create(folder), folder)
            try:
                await gateways.start()
                async with open_client(gateways.list_urls, SeededRandom(f"{storm.seed} client")) as client:
                    await _Run(storm, workload, gateways, client, report).make()
            finally:
                await gateways.kill()
    return report


def _create_gateways(storm: Storm, workload: Workload, journal_url: str, folder: Path) -> Gateways:
    if storm.heartbeat_timeout is None:
        return Gateways(storm.gateways, workload, journal_url, folder)
    gateways = Gateways(storm.gateways, workload, journal_url, folder, KILLABLE)
    for gateway in gateways.all:
        gateway.environment["CRASH_HEARTBEAT_TIMEOUT"] = str(storm.heartbeat_timeout)
    return gateways


class _Run:
    """A storm in progress."""

    def __init__(
        self, storm: Storm, workload: Workload, gateways: Gateways, client: Client, report: CrashReport
    ) -> None:
        self._storm = storm
        self._workload = workload
        self._gateways = gateways
        self._client = client
        self._report = report
        self._kills = 0
        self._is_over = False
        self._exchanges: list[Exchange] = []
        self._start = time.monotonic()

    async def make(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number, gateway in enumerate(self._gateways.all):
                group.create_task(self._kill(gateway, SeededRandom(f"{self._storm.seed} kills {number}")))
            group.create_task(self._inject_faults(SeededRandom(f"{self._storm.seed} faults")))
            group.create_task(self._show_progress())
            await self._send_all(SeededRandom(f"{self._storm.seed} requests"))
            self._is_over = True
        await self._gateways.start()
        await self._workload.heal()
        await self._judge()

    async def _send_all(self, random: SeededRandom) -> None:
        """Send all requests, spread over the kills."""
        requests = self._workload.create_requests(self._storm.executions, random)
        places = asyncio.Semaphore(_CLIENTS)
        async with asyncio.TaskGroup() as group:
            for number, request in enumerate(requests):
                while self._kills + 1 < self._storm.kills * number / len(requests):  # noqa: ASYNC110 - rarely
                    await asyncio.sleep(0.02)
                await places.acquire()
                group.create_task(self._send(request, places, is_faithful=not random.happens(_GONE)))

    async def _send(self, request: WriteRequest, places: asyncio.Semaphore, *, is_faithful: bool) -> None:
        try:
            send = self._client.insist if is_faithful else self._client.send_and_go
            self._exchanges.append(await send(request))
        finally:
            places.release()

    async def _kill(self, gateway: Gateway, random: SeededRandom) -> None:
        """Kill a gateway again and again, until the kills are used up."""
        while self._kills < self._storm.kills and not self._is_over:
            await asyncio.sleep(random.uniform(0.05, self._storm.lifetime))
            self._kills += 1
            await gateway.kill()
            while random.happens(_STARTING) and self._kills < self._storm.kills:
                gateway.spawn()
                await asyncio.sleep(random.uniform(0.3, 2))
                self._kills += 1
                await gateway.kill()
            await gateway.start()

    async def _inject_faults(self, random: SeededRandom) -> None:
        while not self._is_over:
            await self._workload.inject_fault(random)
            await asyncio.sleep(random.uniform(0.1, 1))
            if random.happens(0.25):
                await self._workload.heal()

    async def _show_progress(self) -> None:
        shown = self._start
        while not self._is_over:
            await asyncio.sleep(0.5)
            if time.monotonic() < shown + _PROGRESS:
                continue
            shown = time.monotonic()
            seconds = shown - self._start
            print(
                f"  {seconds:.0f} s: {len(self._exchanges)} answered or gone, {self._kills} kills", flush=True
            )

    async def _judge(self) -> None:
        figures, violations = await judge(self._client, self._workload, self._exchanges)
        faithful = [exchange for exchange in self._exchanges if exchange.is_faithful]
        self._report.figures |= {
            "kills": self._kills,
            "requests": len(self._exchanges),
            "clients that never came back": len(self._exchanges) - len(faithful),
            **figures,
            **_count_answers(self._exchanges),
            **await self._workload.count(),
            **self._gateways.count_logged(),
            "wait of a client for its answer": format_seconds([exchange.seconds for exchange in faithful]),
            "duration in seconds": round(time.monotonic() - self._start),
        }
        self._report.violations += [*violations, *self._gateways.list_bugs()]


def _count_answers(exchanges: Sequence[Exchange]) -> dict[str, int]:
    """Return how often each status was answered; refusals before a commit are counted on their own."""
    counted = Counter(
        f"answers {answer.status}{'' if answer.execution_id else ', without a commit'}"
        for exchange in exchanges
        if (answer := exchange.answer) is not None
    )
    return dict(sorted(counted.items()))
