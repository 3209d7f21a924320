"""The run: starts the peers, measures each in every round, and waits between the measurements."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self, final

from benchmarks.performance.load import measure, run_load
from benchmarks.performance.measurements import Measurement, Measurements, format_number
from benchmarks.performance.peers import C_FLOOR, EXCHANGES, PYTHON, ROOT, Peer
from benchmarks.performance.process import Cores, Process
from benchmarks.performance.scenarios import Scenario

__all__ = ("FULL", "QUICK", "Bench", "Effort", "Step", "list_steps", "rotate")

_UPSTREAM: Final = (PYTHON, "-m", "benchmarks.performance.upstream")
_HEAT_CLIENTS: Final = 50
_LENGTH_FOR_SLOW_PEERS: Final = 3
_KB_IN_MIB: Final = 1024 * 1024 / 1000


@final
@dataclass(frozen=True)
class Effort:
    """The duration of a run.

    - *rounds*: of each scenario; None for the scenario's own number, in a quick run.
    - *seconds*: of a measurement of usual length; *warm_up* are seconds of the same load before it.
    - *heat*: seconds of load on a process that has just been started, for caches and just-in-time compilers.
    """

    rounds: int | None
    seconds: int
    warm_up: int
    heat: int

    def rounds_of(self, scenario: Scenario) -> int:
        """Return the number of rounds of *scenario*."""
        return scenario.quick_rounds if self.rounds is None else self.rounds

    def seconds_of(self, scenario: Scenario, peer: Peer) -> int:
        """Return the duration of a measurement, during which even a slow peer handles many requests."""
        return self.seconds * max(scenario.length, _LENGTH_FOR_SLOW_PEERS if peer.is_slow else 1)

    def includes(self, scenario: Scenario, peer: Peer) -> bool:
        """Return True if *peer* is measured in *scenario*.

        A quick run leaves out the comparisons that would take long.
        """
        takes_long = (peer.is_slow and scenario.quick_rounds == 1) or (
            scenario.is_fresh and not peer.is_gateway
        )
        return peer.takes_part(scenario.participants) and not (self.rounds is None and takes_long)


FULL: Final = Effort(rounds=5, seconds=4, warm_up=1, heat=3)
QUICK: Final = Effort(rounds=None, seconds=1, warm_up=0, heat=1)


class Step(NamedTuple):
    """A measurement that is to be made."""

    scenario: Scenario
    round_number: int
    peer: Peer


def list_steps(scenarios: Sequence[Scenario], peers: Sequence[Peer], effort: Effort) -> Iterator[Step]:
    """Yield the measurements in order: the scenarios, their rounds, and the peers in changing order."""
    for scenario in scenarios:
        participants = [peer for peer in peers if effort.includes(scenario, peer)]
        for number in range(effort.rounds_of(scenario)):
            for peer in rotate(participants, number):
                yield Step(scenario, number, peer)


def rotate(peers: Sequence[Peer], number: int) -> Sequence[Peer]:
    """Return *peers* in the order of a round: rotated by its number, and backwards in every other round.

    So no peer always follows the same one.
    """
    at = number % len(peers) if peers else 0
    rotated = [*peers[at:], *peers[:at]]
    return rotated[::-1] if number % 2 else rotated


@final
class Bench:
    """The processes of a run, which end with the `with` block; their logs are in *folder*.

    A process is started when it is first needed, and serves all scenarios of a group. *report* is called with
    a line about the progress.
    """

    def __init__(self, effort: Effort, cores: Cores, folder: Path, report: Callable[[str], None]) -> None:
        self._effort = effort
        self._cores = cores
        self._folder = folder
        self._report = report
        self._stack = ExitStack()
        self._running: dict[tuple[str, str], Process] = {}
        self._urls: Mapping[str, str] = {}
        self._run_count = 0

    def __enter__(self) -> Self:
        self._upstream = self._start("upstream", _UPSTREAM, self._cores.load)
        words = self._upstream.read_line().split()
        urls = dict(zip(words[::2], words[1::2], strict=True))
        self._urls = {f"GATEWAY_{name.upper()}_URL": url for name, url in urls.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self, steps: Sequence[Step], measurements: Measurements) -> None:
        """Make the measurements of *steps*, and add them to *measurements*."""
        start = time.monotonic()
        for done, (scenario, number, peer) in enumerate(steps, 1):
            measurement = self._measure(scenario, peer)
            measurements.add(scenario.name, peer.name, number, measurement)
            left = (time.monotonic() - start) / done * (len(steps) - done)
            self._report(
                f"{done} of {len(steps)} ({left:.0f} s left): {scenario.name} {number + 1}, {peer.name}: "
                f"{format_number(measurement.cpu_us)} us, {format_number(measurement.errors)} errors"
            )

    def _measure(self, scenario: Scenario, peer: Peer) -> Measurement:
        if peer.kind == C_FLOOR:
            self._set_latency(0)
            url = self._urls["GATEWAY_USER_URL"]
            seconds, core = self._effort.seconds, self._cores.server
            report = run_load(url, "exchange", scenario.clients, seconds, core=core, pid=None)
            return measure(report, scenario, EXCHANGES)
        process = self._find_process(scenario, peer)
        self._set_latency(scenario.latency_scale)
        if self._effort.warm_up and not scenario.is_fresh:
            self._load(process, scenario, self._effort.warm_up)
        measurement = self._load(process, scenario, self._effort.seconds_of(scenario, peer))
        if scenario.is_fresh:
            del self._running[peer.name, scenario.group]
            process.kill()
        return measurement

    def _load(self, process: Process, scenario: Scenario, seconds: int) -> Measurement:
        """Run the load of *scenario* on *process*, and wait until it has ended."""
        self._run_count += 1
        before = peak = process.resident_mib

        def watch() -> None:
            nonlocal peak
            peak = max(peak, process.resident_mib)

        report = run_load(
            process.url,
            scenario.requests,
            scenario.clients,
            seconds,
            core=self._cores.load,
            pid=process.pid,
            run=f"{self._run_count}",
            watch=watch,
        )
        if not process.drain():
            self._report(f"the server at {process.url} is still busy; the next figures may be distorted")
        return replace(
            measure(report, scenario),
            rss_mib=process.resident_mib,
            in_flight_kb=(peak - before) * _KB_IN_MIB / scenario.clients,
        )

    def _find_process(self, scenario: Scenario, peer: Peer) -> Process:
        # Only gateways have settings, so the other peers need no process for each group of settings.
        group = scenario.group if peer.is_gateway or scenario.is_fresh else ""
        if (peer.name, group) not in self._running:
            environment = {**self._urls, **peer.environment, **(scenario.settings if peer.is_gateway else {})}
            process = self._start(peer.name, peer.command, self._cores.server, peer.folder, environment)
            process.wait_until_ready()
            self._running[peer.name, group] = process
            self._set_latency(0)
            clients = 1 if scenario.is_fresh else _HEAT_CLIENTS
            heat = replace(scenario, clients=clients)
            self._load(process, heat, self._effort.heat)
        return self._running[peer.name, group]

    def _start(
        self,
        name: str,
        command: Sequence[str],
        core: int,
        folder: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        process = Process(command, core, folder, environment or {}, self._folder / f"{name}.log")
        self._stack.callback(process.kill)
        return process

    def _set_latency(self, scale: float) -> None:
        self._upstream.write_line(f"{scale}")
        self._upstream.read_line()
