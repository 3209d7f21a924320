"""Starts the project's programs as real processes, and ends them."""

import contextlib
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

__all__ = ["Ended", "Program", "answers", "free_port", "free_ports", "until"]

_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.01
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loading certificates for plain HTTP would take most of the time of a request."""


def free_port() -> int:
    """Find a port on which nobody listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def free_ports(count: int) -> int:
    """Find the first of *count* ports in a row on which nobody listens just now."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as found:
            for port in range(first, first + count):
                found.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another process."""
    patience_ends = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > patience_ends:
            message = f"still not so after {_PATIENCE_SECONDS} s"
            raise TimeoutError(message)
        time.sleep(_POLL_SECONDS)


def answers(url: str) -> bool:
    """Whether a GET is answered, and with a success."""
    try:
        return httpx.get(url, verify=_NO_CERTIFICATES).is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it had left to say."""

    code: int
    out: str
    err: str
    seconds: float


class Program:
    """`python -m module arguments...`, run in *folder* until the end of the `with` block at most."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 (our own program, and no shell)
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            # A gateway whose end is not what is tested has nobody who has to notice first.
            env={**os.environ, "GATEWAY_DRAIN_MS": "0", **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        """Write a line to the program's standard input."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def read_line(self) -> str:
        """Read what the program says next, "" at its end."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def wait_until_answers(self, url: str) -> None:
        """Wait for the first success; raises RuntimeError with stderr if the program ends before."""
        until(lambda: answers(url) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError(self.wait().err)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self, patience: float = _PATIENCE_SECONDS) -> Ended:
        """Wait for the end, at most *patience* seconds; this also ends the program's standard input."""
        before = time.monotonic()
        out, err = self.process.communicate(timeout=patience)
        return Ended(self.process.returncode, out, err, time.monotonic() - before)
