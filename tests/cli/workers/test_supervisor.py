"""Supervisor of workers, which are small programs here."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from gateway.cli.workers.supervisor import Supervisor
from gateway.observability.metrics.terms import Kind, Metric
from gateway.observability.metrics.worker_files import WorkerFiles
from gateway.server.listener import open_listener

PREAMBLE: Final = """\
import os, signal, socket, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
link = socket.socket(fileno=int(sys.argv[-1].split(",")[1]))
(folder / str(os.getpid())).touch()
"""
SERVE: Final = """
def stop(number, _):
    link.send(b"c")
    sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
link.send(b"r")
while True:
    time.sleep(60)
"""
"""A worker that is ready, and ends with code 0 after a signal."""

FAIL: Final = """
try:
    (folder / "0").mkdir()
except FileExistsError:
    time.sleep(60)
sys.exit(3)
"""
"""The first worker fails, the other one never becomes ready."""

Script: TypeAlias = Callable[[Supervisor], Awaitable[None]]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with open_listener("127.0.0.1", 0) as listener:
        yield listener


def pids_in(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}


def supervise(folder: Path, listener: socket.socket, program: str, script: Script, count: int = 2) -> int:
    """Run workers with *program*; *script* plays once they are ready. Return the exit code."""

    async def run() -> int:
        command = (sys.executable, "-c", PREAMBLE + program, str(folder))
        supervisor = Supervisor(command, listener, count, folder)
        return await asyncio.wait_for(supervisor.run(lambda: script(supervisor)), 30)

    return asyncio.run(run())


async def announce() -> None:
    pytest.fail("no worker is ready")


async def never(_: Supervisor) -> None:
    pytest.fail("the workers are not ready")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it depends on another process
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_all_workers(tmp_path: Path, listener: socket.socket, number: signal.Signals) -> None:
    async def script(_: Supervisor) -> None:
        os.kill(os.getpid(), number)

    assert supervise(tmp_path, listener, SERVE, script, count=3) == 0
    assert len(pids_in(tmp_path)) == 3
    with pytest.raises(TimeoutError):  # new connections are ignored until the socket is closed
        socket.create_connection(listener.getsockname(), timeout=0.1)


def test_killed_worker_is_replaced(
    tmp_path: Path, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(supervisor: Supervisor) -> None:
        killed = min(pids_in(tmp_path))
        os.kill(killed, signal.SIGKILL)
        await until(lambda: len(pids_in(tmp_path)) == 3)
        supervisor.stop(signal.SIGTERM)

    with caplog.at_level(logging.ERROR):
        assert supervise(tmp_path, listener, SERVE, script) == 0
    (line,) = caplog.messages
    assert line.endswith(" was killed by SIGKILL; starting another one in 0.2 s")


def test_stop_ends_pause_before_restart(
    tmp_path: Path, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(supervisor: Supervisor) -> None:
        os.kill(min(pids_in(tmp_path)), signal.SIGTERM)
        await until(lambda: bool(caplog.messages))
        supervisor.stop(signal.SIGTERM)

    with caplog.at_level(logging.ERROR):
        assert supervise(tmp_path, listener, SERVE, script) == 0
    assert len(pids_in(tmp_path)) == 2


def test_worker_that_stops_alone_leaves_listener_open(
    tmp_path: Path, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(supervisor: Supervisor) -> None:
        os.kill(min(pids_in(tmp_path)), signal.SIGTERM)
        await until(lambda: bool(caplog.messages))
        socket.create_connection(listener.getsockname(), timeout=5).close()
        supervisor.stop(signal.SIGTERM)

    with caplog.at_level(logging.ERROR):
        supervise(tmp_path, listener, SERVE, script)
    assert caplog.messages[0].endswith(" ended with code 0; starting another one in 0.2 s")


def test_worker_killed_during_shutdown_is_reported_by_exit_code(
    tmp_path: Path, listener: socket.socket
) -> None:
    stubborn = SERVE.replace("sys.exit(0)", "os.kill(os.getpid(), signal.SIGKILL)")

    async def script(supervisor: Supervisor) -> None:
        supervisor.stop(signal.SIGTERM)

    assert supervise(tmp_path, listener, stubborn, script) == 128 + signal.SIGKILL


def test_worker_that_fails_at_start_ends_all(tmp_path: Path, listener: socket.socket) -> None:
    """The other worker, which is not ready yet, is ended too."""
    assert supervise(tmp_path, listener, FAIL, never) == 3


def test_signal_ends_workers_that_are_starting(tmp_path: Path, listener: socket.socket) -> None:
    async def run() -> int:
        supervisor = Supervisor([sys.executable, "-c", "import time; time.sleep(60)"], listener, 2, tmp_path)
        supervisor.stop(signal.SIGINT)
        return await supervisor.run(announce)

    assert asyncio.run(asyncio.wait_for(run(), 30)) == 0


def test_program_that_cannot_be_started_ends_supervisor(tmp_path: Path, listener: socket.socket) -> None:
    async def run() -> int:
        return await Supervisor(["/nonexistent"], listener, 2, tmp_path).run(announce)

    assert asyncio.run(run()) == 1


def test_metrics_of_ended_workers_are_kept(tmp_path: Path, listener: socket.socket) -> None:
    async def stop(supervisor: Supervisor) -> None:
        for process in pids_in(tmp_path):
            WorkerFiles(tmp_path, process).write([(Metric("a_total", "A", Kind.COUNTER), (), 1)])
        supervisor.stop(signal.SIGTERM)

    assert supervise(tmp_path, listener, SERVE, stop) == 0

    assert [value for _, _, value in WorkerFiles(tmp_path, 1).read_others()] == [2]


def test_metrics_that_cannot_be_kept_are_reported(
    tmp_path: Path, listener: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    async def stop(supervisor: Supervisor) -> None:
        for process in pids_in(tmp_path):
            WorkerFiles(tmp_path, process).write([])
        (tmp_path / "ended.new").mkdir()
        supervisor.stop(signal.SIGTERM)

    assert supervise(tmp_path, listener, SERVE, stop) == 0

    assert all(message.startswith("cannot keep the metrics of worker ") for message in caplog.messages)
    assert len(caplog.messages) == 2
