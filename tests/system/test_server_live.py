"""The server on real sockets, in the process of the test."""

import asyncio
import contextlib
import gc
import socket
import struct
import weakref

import httpx
import pytest
import uvloop
from fastapi import FastAPI, Request, Response
from typing_extensions import override

from gateway.server.listener import open_listener
from gateway.server.protocol.http_protocol import HttpProtocol
from gateway.server.server import Server


class ShortTimeoutProtocol(HttpProtocol):
    """A connection with timeouts of less than half a second."""

    head_timeout = 0.4
    rest_timeout = 0.4
    write_timeout = 0.4


def create_server(
    protocol: type[HttpProtocol] = HttpProtocol, app: FastAPI | None = None, max_connections: int = 100
) -> Server:
    return Server(
        app or FastAPI(),
        open_listener("127.0.0.1", 0),
        on_stop=lambda: None,
        drain=0,
        grace=1,
        max_connections=max_connections,
        protocol=protocol,
    )


def address_of(server: Server) -> tuple[str, int]:
    return "127.0.0.1", int(server.url.rpartition(":")[2])


def is_answered(caller: socket.socket) -> bool:
    try:
        return caller.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return False


def test_exception_in_with_block_stops_server() -> None:
    urls: list[str] = []

    async def fail() -> None:
        server = create_server()
        urls.append(server.url)
        async with server.serve_until_stopped():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        uvloop.run(fail())
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0])


def test_server_accepts_burst_in_few_loop_turns() -> None:
    """A burst is accepted in a few turns of the event loop, so that an overloaded gateway can shed it."""

    async def count_turns(count: int) -> int:
        server = create_server()
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

    assert uvloop.run(count_turns(96)) < 48


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([], b""),
        ([b"GET / HTTP/1.1\r\n"], b""),
        ([b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n", b"x"], b"HTTP/1.1 404 Not Found"),
    ],
)
def test_incomplete_request_times_out(sent: list[bytes], status: bytes) -> None:
    """A connection whose client stops in the middle of a request is closed, even after the response."""

    async def send_parts() -> bytes:
        server = create_server(ShortTimeoutProtocol)
        async with server.serve_until_stopped():
            reader, writer = await asyncio.open_connection(*address_of(server))
            for part in sent:
                writer.write(part)
                await asyncio.sleep(ShortTimeoutProtocol.head_timeout / 4)
            async with asyncio.timeout(10):
                answer = await reader.read()
            writer.close()
            server.should_exit = True
        return answer

    assert uvloop.run(send_parts()).partition(b"\r\n")[0] == status


def test_connection_reset_leaks_nothing() -> None:
    connections: weakref.WeakSet[HttpProtocol] = weakref.WeakSet()
    is_lost = asyncio.Event()

    class RecordedProtocol(HttpProtocol):
        @override
        def connection_lost(self, exc: Exception | None) -> None:
            connections.add(self)
            super().connection_lost(exc)
            is_lost.set()

    async def count_left() -> int:
        server = create_server(RecordedProtocol)
        async with server.serve_until_stopped():
            with socket.create_connection(address_of(server)) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                caller.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                await asyncio.to_thread(caller.recv, 1)
            await is_lost.wait()
            await asyncio.sleep(0)
            gc.collect()
            left = len(connections)
            server.should_exit = True
        return left

    assert uvloop.run(count_left()) == 0


OFFER = (
    b"POST /echo HTTP/1.1\r\nHost: here\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n\r\nhello"
)


@pytest.mark.parametrize(
    "cut", [20, OFFER.index(b"grade:"), OFFER.index(b"hello"), OFFER.index(b"lo"), len(OFFER)]
)
def test_body_after_offer_of_upgrade_is_read(cut: int) -> None:
    """The parser alone would take the body, and what follows it, for another protocol (uvicorn#2722)."""

    async def send_parts() -> bytes:
        app = FastAPI()

        @app.post("/echo")
        async def echo(request: Request) -> Response:
            return Response(await request.body())

        server = create_server(app=app)
        async with server.serve_until_stopped():
            reader, writer = await asyncio.open_connection(*address_of(server))
            for part in (OFFER[:cut], OFFER[cut:] + OFFER[:-5] + b"again"):
                writer.write(part)
                await asyncio.sleep(0.05)
            async with asyncio.timeout(10):
                await reader.readuntil(b"hello")
                answer = await reader.readuntil(b"again")
            writer.close()
            server.should_exit = True
        return answer

    assert uvloop.run(send_parts()).startswith(b"HTTP/1.1 200 OK\r\n")


def test_client_that_reads_nothing_is_disconnected() -> None:
    """The response that it does not read ends as if the client had disconnected."""
    is_lost = asyncio.Event()

    async def serve_large_page() -> None:
        app = FastAPI()

        @app.get("/")
        async def send_page() -> Response:
            return Response(b"x" * 20_000_000)

        class RecordedProtocol(ShortTimeoutProtocol):
            @override
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                is_lost.set()

        server = create_server(RecordedProtocol, app)
        async with server.serve_until_stopped():
            with socket.create_connection(address_of(server)) as caller:
                caller.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                async with asyncio.timeout(10):
                    await is_lost.wait()
            server.should_exit = True

    uvloop.run(serve_large_page())


def test_longest_idle_connection_makes_room() -> None:
    async def connect_crowd() -> tuple[int, bytes]:
        server = create_server(max_connections=4)
        async with server.serve_until_stopped():
            with contextlib.ExitStack() as crowd:
                address = address_of(server)
                callers = [crowd.enter_context(socket.create_connection(address)) for _ in range(8)]
                callers[-1].sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                answer = await asyncio.to_thread(callers[-1].recv, 12)
                left = len(server.server_state.connections)
            server.should_exit = True
        return left, answer

    assert uvloop.run(connect_crowd()) == (4, b"HTTP/1.1 404")
