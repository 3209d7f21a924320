"""The server inside a process of ours."""

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
