"""A program of ours as a process of its own, and what the kernel says of it."""

import asyncio
import os
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
    """`python -m module arguments...`, from its start until it is killed or its `with` block ends.

    It ends with this process as well, even if that is killed: its standard input closes then. What it writes
    to its standard error is in *log*.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.log: Final = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, and no shell
                (sys.executable, "-m", module, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Nothing here leaves this machine, hence through no proxy either.
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*", **environment},
            )

    async def first_line(self) -> str:
        """Wait for what the program says once it is ready; raises RuntimeError with what went wrong."""
        line = await asyncio.to_thread(cast("IO[str]", self._process.stdout).readline)
        if not line:
            raise RuntimeError(self.log.read_text())
        return line.rstrip()

    async def kill(self) -> None:
        """Send SIGKILL to this process, and wait for its end."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        for pipe in (self._process.stdin, self._process.stdout):
            cast("IO[str]", pipe).close()

    @property
    def resident(self) -> float:
        """Give how much memory is resident, in MiB."""
        lines = self._told("status").splitlines()
        (kib,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
        return int(kib) / _KIB_IN_MIB

    @property
    def worked(self) -> float:
        """Give the seconds that this process has had of any CPU."""
        fields = self._told("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def connections_to(self, ports: Collection[int]) -> int:
        """Count the connections that this process has to *ports*, idle ones included."""
        held = {self._held(fd) for fd in Path(f"/proc/{self._process.pid}/fd").iterdir()}
        lines = [line.split() for line in self._told("net/tcp").splitlines()[1:]]
        return sum(
            state == _ESTABLISHED
            and int(remote.rpartition(":")[2], 16) in ports
            and f"socket:[{inode}]" in held
            for _, _, remote, state, _, _, _, _, _, inode, *_ in lines
        )

    def _told(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()

    @staticmethod
    def _held(fd: Path) -> str:
        try:
            return str(fd.readlink())
        except FileNotFoundError:  # closed meanwhile
            return ""
