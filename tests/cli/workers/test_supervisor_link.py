"""Link between a worker and its supervisor."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from gateway.cli.workers.supervisor_link import Report, SupervisorLink, parse_reports
from gateway.server.listener import open_listener


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The ends of the supervisor and of the worker."""
    supervisor, worker = socket.socketpair()
    with supervisor, worker:
        yield supervisor, worker


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with open_listener("127.0.0.1", 0) as listener:
        yield listener


def is_ignoring_connections(listener: socket.socket) -> bool:
    try:
        socket.create_connection(listener.getsockname(), timeout=0.1).close()
    except TimeoutError:
        return True
    return False


def test_reports_reach_supervisor(ends: tuple[socket.socket, socket.socket], listener: socket.socket) -> None:
    link = SupervisorLink(ends[1])

    link.report_ready()
    link.report_closing(listener)

    assert parse_reports(ends[0].recv(64)) == [Report.READY, Report.CLOSING]
    assert not is_ignoring_connections(listener)


def test_lone_worker_ignores_new_connections_itself(
    ends: tuple[socket.socket, socket.socket], listener: socket.socket
) -> None:
    ends[0].close()

    SupervisorLink(ends[1]).report_closing(listener)

    assert is_ignoring_connections(listener)


def test_worker_notices_end_of_supervisor(ends: tuple[socket.socket, socket.socket]) -> None:
    async def lose() -> None:
        lost = asyncio.Event()
        SupervisorLink(ends[1]).watch(lost.set)
        ends[0].close()
        await lost.wait()

    asyncio.run(asyncio.wait_for(lose(), 10))
