"""Child process that runs a module of this project, with figures from /proc."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Final, cast, final

__all__ = ("Process",)

_ESTABLISHED: Final = "01"
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_KIB_IN_MIB: Final = 1024


@final
class Process:
    """`python -m module arguments...`, from its start until it is killed.

    When the parent process ends, even by SIGKILL, the standard input of the child is closed. The modules that
    are run here then exit. Standard error of the child is appended to *log*.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.log: Final = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - a module of this project, no shell
                (sys.executable, "-m", module, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # All processes are on this machine, so proxies must not be used.
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **environment},
            )

    async def first_line(self) -> str:
        """Return the line that the program prints once it is ready.

        Raise RuntimeError with the log if the program exits instead.
        """
        line = await asyncio.to_thread(cast("IO[str]", self._process.stdout).readline)
        if not line:
            raise RuntimeError(self.log.read_text())
        return line.rstrip()

    async def kill(self) -> None:
        """Send SIGKILL to the process and wait for its end."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[str]", pipe).close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    @property
    def has_ended(self) -> bool:
        """True if the process has ended."""
        return self._process.poll() is not None

    @property
    def is_suspended(self) -> bool:
        """True if SIGSTOP has suspended the process."""
        return self._read_proc("stat").rpartition(")")[2].split()[0] == "T"

    @property
    def resident_mib(self) -> float:
        """The resident memory in MiB."""
        lines = self._read_proc("status").splitlines()
        (kib,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
        return int(kib) / _KIB_IN_MIB

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the process has used, in seconds."""
        fields = self._read_proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def connections_to(self, ports: Collection[int]) -> int:
        """Return the number of connections from the process to *ports*, in use or idle."""
        open_files = {self._read_link(fd) for fd in Path(f"/proc/{self._process.pid}/fd").iterdir()}
        lines = [line.split() for line in self._read_proc("net/tcp").splitlines()[1:]]
        return sum(
            state == _ESTABLISHED
            and int(remote.rpartition(":")[2], 16) in ports
            and f"socket:[{inode}]" in open_files
            for _, _, remote, state, _, _, _, _, _, inode, *_ in lines
        )

    def _read_proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()

    @staticmethod
    def _read_link(fd: Path) -> str:
        try:
            return str(fd.readlink())
        except FileNotFoundError:  # closed in the meantime
            return ""
