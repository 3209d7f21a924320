"""The project's programs as real processes."""

import contextlib
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

__all__ = ["Program", "ProgramResult", "free_port", "free_ports", "is_answering", "until"]

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.01
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""SSL context without certificates: plain HTTP needs none, and loading them is slower than a request."""

_PORTS_OF_WORKER = 2_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PORTS = itertools.count(10_000 + _PORTS_OF_WORKER * _WORKER + os.getpid() % (_PORTS_OF_WORKER // 2))
"""Ports below those that the kernel assigns (32768 on Linux), which it may give to another process.

Each worker of pytest-xdist has its own; the first depends on the process, for test runs at the same time.
"""


def free_port() -> int:
    """Return a port on which no process listens, and that no other test gets."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of *count* consecutive ports, as `free_port` does."""
    while True:
        first = next(_PORTS)
        with contextlib.suppress(OSError), contextlib.ExitStack() as listeners:
            for port in range(first, first + count):
                listeners.enter_context(socket.create_server(("127.0.0.1", port)))
            for _ in range(count - 1):
                next(_PORTS)
            return first


def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition*, which depends on another process, is true; raise `TimeoutError` after 60 s."""
    patience_ends = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > patience_ends:
            message = f"the condition is still false after {_PATIENCE_SECONDS} s"
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def is_answering(url: str) -> bool:
    """Return True if a GET of *url* succeeds."""
    try:
        return httpx.get(url, verify=_NO_CERTIFICATES).is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class ProgramResult:
    """Exit code of a program, its output that was not read before, and the seconds that `wait` took."""

    code: int
    out: str
    err: str
    seconds: float


class Program:
    """Process of `python -m module arguments...` in *folder*; the end of the `with` block kills it.

    The standard error goes to the file *log*, if given; otherwise `wait` returns it.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        log: Path | None = None,
    ) -> None:
        with contextlib.ExitStack() as opened:
            self.process = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if log is None else opened.enter_context(log.open("w")),
                text=True,
                cwd=folder,
                # Most tests need no drain: no load balancer has to see readiness fail.
                env={**os.environ, "GATEWAY_DRAIN_MS": "0", **(environment or {})},
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.__exit__(kind, error, trace)

    def write_line(self, line: str) -> None:
        """Write *line* to the program's standard input."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        """Return the next line of the program's standard output, or "" at the end of the output."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def wait_until_answers(self, url: str) -> None:
        """Wait until *url* answers; raise `RuntimeError` with the stderr of the program if it ends first."""
        until(lambda: is_answering(url) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError(self.wait().err)

    def end(self, number: signal.Signals = signal.SIGTERM) -> ProgramResult:
        """Send a signal to the program, and wait until it ends."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, patience: float = _PATIENCE_SECONDS) -> ProgramResult:
        """Close the program's standard input, and wait until it ends, at most *patience* seconds."""
        before = time.monotonic()
        out, err = self.process.communicate(timeout=patience)
        return ProgramResult(self.process.returncode, out, err, time.monotonic() - before)
