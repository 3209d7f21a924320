"""Link between a worker process and its supervisor: the two ends of a socket pair.

A worker sends reports of a byte each. The supervisor sends nothing: as long as it lives, its
end is open, and a worker that reads the end of the stream knows that it has lost its supervisor.
"""

import asyncio
import socket
from collections.abc import Callable
from enum import Enum
from typing import final

from gateway.server.listener import drop_new_connections

__all__ = ("Report", "SupervisorLink", "parse_reports")


class Report(Enum):
    """Report of a worker to its supervisor."""

    READY = b"r"
    """It accepts requests."""

    CLOSING = b"c"
    """It is about to stop accepting connections."""


def parse_reports(received: bytes) -> list[Report]:
    """Return the reports in the bytes that a supervisor has *received*."""
    return [Report(bytes((byte,))) for byte in received]


@final
class SupervisorLink:
    """The worker's end of the link; *end* is its socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        end.settimeout(0)

    def report_ready(self) -> None:
        """Report that the worker accepts requests."""
        self._send(Report.READY)

    def report_closing(self, listener: socket.socket) -> None:
        """Report that the worker is about to stop accepting connections on *listener*.

        The supervisor makes the listening socket, which all workers share, ignore new connections if all of
        them stop. A worker that has lost its supervisor does that itself, since the others stop too.
        """
        if not self._send(Report.CLOSING):
            drop_new_connections(listener)

    def watch(self, on_loss: Callable[[], None]) -> None:
        """Call *on_loss* once the supervisor has ended."""
        loop = asyncio.get_running_loop()

        def lose() -> None:
            loop.remove_reader(self._end)
            on_loss()

        loop.add_reader(self._end, lose)  # it is readable at the end of the stream only

    def _send(self, report: Report) -> bool:
        """Send *report*; return False if the supervisor has ended."""
        try:
            self._end.send(report.value)
        except OSError:
            return False
        return True
