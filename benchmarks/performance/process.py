"""Child processes on the cores that they may use, with figures from /proc."""

import os
import re
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple, cast, final

__all__ = ("Cores", "Process", "find_cores", "run_on")

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIB_IN_MIB: Final = 1024
_URL: Final = re.compile(r"http://[\d.]+:\d+")
_LISTEN, _TIME_WAIT = "0A", "06"
_POLL_SECONDS: Final = 0.1
_DRAIN_SECONDS: Final = 30.0


class Cores(NamedTuple):
    """The core of the server under test, and the core of the load generator and the services."""

    server: int
    load: int

    @property
    def are_shared(self) -> bool:
        """True if there is only one core for all."""
        return self.server == self.load


def find_cores() -> Cores:
    """Return the first two cores that this process may use."""
    available = sorted(os.sched_getaffinity(0))
    return Cores(available[0], available[1 % len(available)])


@contextmanager
def run_on(core: int) -> Generator[None]:
    """Run this process, and the processes that it starts in the meantime, on *core*."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@final
class Process:
    """A program that prints a line once it is ready; standard error is appended to *log*."""

    def __init__(
        self, command: Sequence[str], core: int, folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.log: Final = log
        with log.open("ab") as errors, run_on(core):
            self._process = subprocess.Popen(  # noqa: S603 - programs of this project, no shell
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # All processes are on this machine, so proxies must not be used.
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **environment},
            )
        self.pid: Final = self._process.pid
        self.url = ""

    def read_line(self) -> str:
        """Return the next line that the program prints.

        Raise `RuntimeError` with its log if it ends instead.
        """
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise RuntimeError(self.log.read_text() or f"{self._process.args!r} has ended")
        return line.rstrip()

    def wait_until_ready(self) -> None:
        """Wait for the line with the program's URL."""
        while not (found := _URL.search(self.read_line())):
            pass
        self.url = found[0]

    def write_line(self, line: str) -> None:
        """Write *line* to the standard input of the program."""
        stdin = cast("IO[str]", self._process.stdin)
        stdin.write(f"{line}\n")
        stdin.flush()

    def kill(self) -> None:
        """Send SIGKILL to the process and wait for its end."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[str]", pipe).close()

    def drain(self) -> bool:
        """Wait until no client is connected and the process is idle; return False if it takes too long."""
        end = time.monotonic() + _DRAIN_SECONDS
        before = -1.0
        while time.monotonic() < end:
            cpu = self.cpu_seconds
            if cpu - before <= 1 / _TICKS and not self._count_clients():
                return True
            before = cpu
            time.sleep(_POLL_SECONDS)
        return False

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that all threads of the process have used, in seconds."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def resident_mib(self) -> float:
        """The resident memory in MiB."""
        (line,) = (line for line in self._read("status").splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / _KIB_IN_MIB

    def _count_clients(self) -> int:
        port = int(self.url.rpartition(":")[2])
        lines = [line.split() for line in self._read("net/tcp").splitlines()[1:]]
        return sum(
            int(local.rpartition(":")[2], 16) == port and state not in {_LISTEN, _TIME_WAIT}
            for _, local, _, state, *_ in lines
        )

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()
