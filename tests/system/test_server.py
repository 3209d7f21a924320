"""The server inside a process of ours."""

import httpx
import pytest
import uvloop
from fastapi import FastAPI

from gateway.server import Server, listening


def a_server(host: str = "127.0.0.1") -> Server:
    return Server(FastAPI(), listening(host, 0), on_stop=lambda: None, drain=0, grace=1)


@pytest.mark.parametrize(
    ("host", "near"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1")],  # noqa: S104
)
def test_its_url_is_one_that_can_be_opened_here(host: str, near: str) -> None:
    assert a_server(host).url.startswith(f"http://{near}:")


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
