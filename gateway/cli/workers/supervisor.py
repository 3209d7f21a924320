"""Supervisor of the worker processes of `gateway serve --workers`."""

import asyncio
import logging
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

from gateway.cli.messages import FAILURE
from gateway.cli.workers.restart_pause import RestartPause
from gateway.cli.workers.supervisor_link import Report, parse_reports
from gateway.observability.metrics.worker_files import fold_worker
from gateway.server.listener import drop_new_connections

__all__ = ("SIGNALLED", "Supervisor")

_log: Final = logging.getLogger("gateway")

SIGNALLED: Final = 128
"""Added to the number of the signal that ended a process, for the exit code, as shells do."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_READ: Final = 64


@final
class Supervisor:
    """Keeps *count* workers running, which accept connections on *listener*.

    *command* starts a worker; the supervisor adds `--supervised=LISTENER,LINK,FOLDER`: the numbers of the
    inherited file descriptors, and the *folder* in which the workers combine their metrics. A worker is a new
    process, not a copy of this one, in a process group of its own, so that Ctrl-C reaches it once.
    """

    def __init__(self, command: Sequence[str], listener: socket.socket, count: int, folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._listener = listener
        self._count = count
        self._workers: set[_Worker] = set()
        self._stopping = asyncio.Event()
        self._all_ready = asyncio.Event()

    async def run(self, announce: Callable[[], Awaitable[None]]) -> int:
        """Run the workers until a signal stops them; return the highest of their exit codes.

        Call *announce* once, when all of them are ready. If one of them ends before that, the others are
        stopped; later, another worker takes the place of one that ends. SIGINT and SIGTERM are passed on.
        """
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.stop, number)
        announcing = asyncio.create_task(self._announce(announce))
        try:
            return max(await asyncio.gather(*(self._keep_worker() for _ in range(self._count))))
        finally:
            announcing.cancel()
            await asyncio.wait((announcing,))

    def stop(self, number: int) -> None:
        """Send the signal *number* to the workers, and start no more of them."""
        self._stopping.set()
        for worker in self._workers:
            worker.send_signal(number)

    async def _announce(self, announce: Callable[[], Awaitable[None]]) -> None:
        await self._all_ready.wait()
        await announce()

    async def _keep_worker(self) -> int:
        """Run a worker, and another one whenever it ends, until all stop; return the last one's exit code."""
        pause, loop = RestartPause(), asyncio.get_running_loop()
        while True:
            started = loop.time()
            code, end = await self._run_worker()
            if self._stopping.is_set():
                return code
            if not self._all_ready.is_set():
                self.stop(signal.SIGINT)  # without a drain
                return code
            seconds = pause.choose(loop.time() - started)
            _log.error("%s; starting another one in %g s", end, seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
                    return 0

    async def _run_worker(self) -> tuple[int, str]:
        """Run a worker to its end; return its exit code, and a description of its end."""
        try:
            worker = await _start_worker(self._command, self._listener, self._folder, self._note)
        except OSError as error:
            return FAILURE, f"cannot start a worker: {error.strerror}"
        self._workers.add(worker)
        if self._stopping.is_set():  # by a signal that came while the worker was started
            worker.send_signal(signal.SIGTERM)
        end = await worker.wait()
        self._workers.discard(worker)
        self._fold_metrics(worker.process_id)
        return worker.exit_code, end

    def _fold_metrics(self, process: int) -> None:
        try:
            fold_worker(self._folder, process)
        except OSError as error:
            _log.warning("cannot keep the metrics of worker %d, which has ended: %s", process, error)

    def _note(self, report: Report) -> None:
        """Act on a report of a worker."""
        if report is Report.READY and sum(worker.is_ready for worker in self._workers) == self._count:
            self._all_ready.set()
        # A worker that gets a signal of its own closes alone, and the others go on.
        if report is Report.CLOSING and self._stopping.is_set():
            drop_new_connections(self._listener)


@final
class _Worker:
    """A worker *process* with the supervisor's end of its *link*; *on_report* gets each of its reports."""

    def __init__(self, process: Process, link: socket.socket, on_report: Callable[[Report], None]) -> None:
        self._process = process
        self._link = link
        self._on_report = on_report
        self.is_ready = False
        link.settimeout(0)
        asyncio.get_running_loop().add_reader(link, self._read)

    @property
    def process_id(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int:
        """The exit code, as of a shell; 0 if a signal ended the worker before it was ready."""
        code = self._process.returncode or 0
        if code >= 0:
            return code
        return SIGNALLED - code if self.is_ready else 0

    def send_signal(self, number: int) -> None:
        """Send a signal to the process, unless it has ended.

        Before it is ready, it gets SIGTERM, which ends it at once: SIGINT would print a traceback.
        """
        with suppress(ProcessLookupError):
            self._process.send_signal(number if self.is_ready else signal.SIGTERM)

    async def wait(self) -> str:
        """Wait until the process ends; return a description of its end."""
        code = await self._process.wait()
        self._close()
        end = f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return f"worker {self._process.pid} {end}"

    def _read(self) -> None:
        received = self._link.recv(_READ)
        if not received:
            asyncio.get_running_loop().remove_reader(self._link)
        for report in parse_reports(received):
            self.is_ready = True
            self._on_report(report)

    def _close(self) -> None:
        """Read the last reports of a process that has ended, and close the link."""
        asyncio.get_running_loop().remove_reader(self._link)
        with self._link, suppress(BlockingIOError):  # a process that it has left behind may hold its end
            self._read()


async def _start_worker(
    command: Sequence[str], listener: socket.socket, folder: Path, on_report: Callable[[Report], None]
) -> _Worker:
    """Start a worker that inherits *listener* and its end of the link; raise `OSError` if that fails."""
    link, end = socket.socketpair()
    inherited = listener.fileno(), end.fileno()
    option = f"--supervised={inherited[0]},{inherited[1]},{folder}"
    with end:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, option, pass_fds=inherited, process_group=0
            )
        except OSError:
            link.close()
            raise
    return _Worker(process, link, on_report)
