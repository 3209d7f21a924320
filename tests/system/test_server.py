"""The server inside a process of ours."""

import asyncio
import contextlib
import socket

import httpx
import pytest
import uvloop
from fastapi import FastAPI

from gateway.server import Server, listening


def a_server() -> Server:
    return Server(FastAPI(), listening("127.0.0.1", 0), on_stop=lambda: None, drain=0, grace=1)


def test_it_stops_when_what_is_done_with_it_fails() -> None:
    where: list[str] = []

    async def failing() -> None:
        server = a_server()
        where.append(server.url)
        async with server.running():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        uvloop.run(failing())
    with pytest.raises(httpx.ConnectError):
        httpx.get(where[0])


def test_a_crowd_is_let_in_within_a_few_turns_of_the_loop_so_that_a_busy_one_can_refuse_it() -> None:
    async def turns_until_answered(count: int) -> int:
        server = a_server()
        turns = 0
        async with server.running():
            with contextlib.ExitStack() as crowd:
                address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
                callers = [crowd.enter_context(socket.create_connection(address)) for _ in range(count)]
                for caller in callers:
                    caller.setblocking(False)  # noqa: FBT003 - the standard library's
                    caller.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                while not all(map(is_answered, callers)):
                    turns += 1
                    await asyncio.sleep(0)
            server.should_exit = True
        return turns

    def is_answered(caller: socket.socket) -> bool:
        try:
            return caller.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return False

    assert uvloop.run(turns_until_answered(96)) < 48
