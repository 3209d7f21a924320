"""The server inside a process of ours."""

import asyncio
import contextlib
import gc
import socket
import struct
import weakref

import httpx
import pytest
import uvloop
from fastapi import FastAPI
from typing_extensions import override

from gateway.server.listener import open_listener
from gateway.server.protocol import HeadTimeoutProtocol
from gateway.server.server import Server


class Hurried(HeadTimeoutProtocol):
    """A connection that waits for less than half a second."""

    head_timeout = 0.4


def a_server(protocol: type[HeadTimeoutProtocol] = HeadTimeoutProtocol) -> Server:
    listener = open_listener("127.0.0.1", 0)
    return Server(FastAPI(), listener, on_stop=lambda: None, drain=0, grace=1, protocol=protocol)


def address_of(server: Server) -> tuple[str, int]:
    return "127.0.0.1", int(server.url.rpartition(":")[2])


def is_answered(caller: socket.socket) -> bool:
    try:
        return caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return False


def test_it_stops_when_what_is_done_with_it_fails() -> None:
    where: list[str] = []

    async def failing() -> None:
        server = a_server()
        where.append(server.url)
        async with server.serve_until_stopped():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        uvloop.run(failing())
    with pytest.raises(httpx.ConnectError):
        httpx.get(where[0])


def test_a_crowd_is_let_in_within_a_few_turns_of_the_loop_so_that_a_busy_one_can_refuse_it() -> None:
    async def turns_until_answered(count: int) -> int:
        server = a_server()
        turns = 0
        async with server.serve_until_stopped():
            with contextlib.ExitStack() as crowd:
                address = address_of(server)
                callers = [crowd.enter_context(socket.create_connection(address)) for _ in range(count)]
                for caller in callers:
                    caller.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                while not all(map(is_answered, callers)):
                    turns += 1
                    await asyncio.sleep(0)
            server.should_exit = True
        return turns

    assert uvloop.run(turns_until_answered(96)) < 48


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([], b""),
        ([b"GET / HTTP/1.1\r\n"], b""),
        ([b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n", b"x"], b"HTTP/1.1 404 Not Found"),
    ],
)
def test_who_keeps_it_waiting_amid_a_request_is_closed_on(sent: list[bytes], status: bytes) -> None:
    async def answer() -> bytes:
        server = a_server(Hurried)
        async with server.serve_until_stopped():
            reader, writer = await asyncio.open_connection(*address_of(server))
            for some in sent:
                writer.write(some)
                await asyncio.sleep(Hurried.head_timeout / 4)
            async with asyncio.timeout(10):
                answer = await reader.read()
            writer.close()
            server.should_exit = True
        return answer

    assert uvloop.run(answer()).partition(b"\r\n")[0] == status


def test_a_client_that_resets_its_connection_leaves_nothing_behind() -> None:
    made: weakref.WeakSet[HeadTimeoutProtocol] = weakref.WeakSet()
    is_lost = asyncio.Event()

    class Noted(HeadTimeoutProtocol):
        @override
        def connection_lost(self, exc: Exception | None) -> None:
            made.add(self)
            super().connection_lost(exc)
            is_lost.set()

    async def left() -> int:
        server = a_server(Noted)
        async with server.serve_until_stopped():
            with socket.create_connection(address_of(server)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                await asyncio.to_thread(caller.recv, 1)
            await is_lost.wait()
            await asyncio.sleep(0)
            gc.collect()
            left = len(made)
            server.should_exit = True
        return left

    assert uvloop.run(left()) == 0
