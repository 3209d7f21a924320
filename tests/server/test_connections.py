"""Limit of client connections, and of file descriptors."""

import asyncio
import logging
import resource

import pytest

from gateway.server.connections import ServerConnections
from gateway.server.descriptors import (
    MAX_CONNECTIONS,
    choose_connection_limit,
    get_descriptor_limit,
    raise_descriptor_limit,
)
from tests.server.connection import Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"


def list_open(connections: list[Connection]) -> list[int]:
    return [number for number, connection in enumerate(connections) if not connection.transport.is_closing()]


async def test_connection_over_limit_closes_longest_idle() -> None:
    shared = ServerConnections(3)
    connections = [Connection(shared) for _ in range(3)]
    connections[0].receive(REQUEST)
    await asyncio.sleep(1)
    connections.append(Connection(shared))

    assert list_open(connections) == [0, 2, 3]


async def test_each_connection_over_limit_closes_another() -> None:
    shared = ServerConnections(2)
    connections = [Connection(shared) for _ in range(4)]

    assert list_open(connections) == [2, 3]


async def test_connection_in_use_is_not_closed() -> None:
    """If all are in use, the new connection is closed."""
    shared = ServerConnections(2)
    connections = [Connection(shared) for _ in range(2)]
    for connection in connections:
        connection.seconds = 5
        connection.receive(REQUEST)
    await asyncio.sleep(1)
    connections.append(Connection(shared))

    assert list_open(connections) == [0, 1]


async def test_used_connection_is_idle_from_its_last_response() -> None:
    shared = ServerConnections(2)
    connections = [Connection(shared) for _ in range(2)]
    connections[0].receive(REQUEST)
    await asyncio.sleep(1)
    connections.append(Connection(shared))

    assert list_open(connections) == [0, 2]


async def test_lost_connection_makes_room() -> None:
    shared = ServerConnections(2)
    connections = [Connection(shared) for _ in range(2)]
    connections[0].transport.close()
    connections[0].protocol.connection_lost(None)
    connections.append(Connection(shared))

    assert list_open(connections) == [1, 2]


async def test_reached_limit_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    shared = ServerConnections(1)
    with caplog.at_level(logging.WARNING):
        _ = [Connection(shared) for _ in range(5)]

    assert [record.getMessage() for record in caplog.records] == [
        "1 connections are open, the limit: closing the longest idle one"
    ]


@pytest.mark.parametrize(
    ("descriptors", "calls", "limit"),
    [
        (None, 2400, MAX_CONNECTIONS),
        (1_048_576, 2400, MAX_CONNECTIONS),
        (4096, 2400, 4096 - 2400 - 64),
        (1024, 2400, 256),
    ],
)
def test_limit_leaves_descriptors_for_services(descriptors: int | None, calls: int, limit: int) -> None:
    assert choose_connection_limit(descriptors, calls) == limit


def test_descriptor_limit_is_raised_to_the_most() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] // 2, before[1]))
        assert get_descriptor_limit() == before[0] // 2
        raise_descriptor_limit()

        assert get_descriptor_limit() == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
