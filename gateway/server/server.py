"""The server process: the application under uvicorn, ended by a signal with exit code 0."""

import asyncio
import contextlib
import math
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from types import FrameType
from typing import Final, cast, final

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from gateway.api.middleware import ConnectionClose
from gateway.server.listener import drop_new_connections
from gateway.server.protocol import Connection

__all__ = ("ListenError", "Server", "listening", "url_of")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_NEAR: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
_BACKLOG: Final = 2048
_KEEP_ALIVE: Final = 75
"""Seconds that an idle connection is kept: longer than the proxies before us keep theirs."""
_ACCEPTED_A_TURN: Final = 8
"""Connections that are accepted in one turn of the loop.

By itself uvloop accepts one (https://github.com/libuv/libuv/pull/3696), and where there is much to do a turn
is long: those who come then would wait for seconds before anything of ours, such as the limit of requests in
flight, sees them. A listening socket that the loop knows so many times is looked at so many times. All of
them wake for each connection: measured on one that comes alone, each takes 3 us of CPU, so that 8 add 24 us
to its 180, and 32 would add 88; in a crowd of 16, 8 take 20 us less than one. At twice the capacity a turn
takes 20 to 30 ms, so that about 300 a second are accepted.
"""
_HANDSHAKE: Final = 0.25
"""Seconds for connections that have begun to be made: a round trip, and the loop's next turn.

Who has a longer one, or loses a packet, is reset if he is not connected by then.
"""


class ListenError(Exception):
    """Nothing can listen on this address; the message says why."""


def listening(host: str, port: int) -> socket.socket:
    """Listen on *host* and *port* (0 for a free one), or raise `ListenError`.

    Connections are accepted from then on, and answered once a `Server` serves the socket.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"{host} is no address to listen on: {getattr(error, 'strerror', error)}"
        raise ListenError(msg) from error
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        msg = f"port {port} on {host} cannot be had: {error.strerror}"
        raise ListenError(msg) from error
    return bound


def url_of(bound: socket.socket) -> str:
    """Give the URL at which what *bound* serves can be opened on this machine."""
    host: str
    host, port, *_ = bound.getsockname()
    near = _NEAR.get(host, host)
    return f"http://{f'[{near}]' if ':' in near else near}:{port}"


@final
class Server(uvicorn.Server):
    """Serves *app* on the socket *bound* until SIGINT or SIGTERM, and leaves the exit code alone.

    uvicorn itself raises the signal again after a graceful stop, so that the process would end with 143.
    The first signal calls *on_stop*, and from then on each answer says that its connection ends with it. At
    SIGTERM the server goes on accepting for *drain* seconds, so that whoever asks for readiness sees it fail
    first, and clients go elsewhere before anything is closed; SIGINT comes from somebody who waits. Then
    nobody is let in any more, those who are in are heard to the end, and requests have *grace* seconds to end
    before their clients are hung up on. A second signal ends the drain at once, and a SIGINT after that the
    grace; but however impatient the signals, what the app's lifespan has left to do, such as to finish
    commits, is done. *url* is where it is reached from this machine.
    """

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        app: FastAPI,
        bound: socket.socket,
        *,
        on_stop: Callable[[], None],
        drain: float,
        grace: float,
        connection: type[Connection] = Connection,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                ConnectionClose(app, lambda: self._is_stopping),
                access_log=False,
                # httptools loses the body of a request that offers an upgrade, as Java's client always does.
                http=connection,
                lifespan="on",
                log_config=None,
                server_header=False,
                # Later than the grace, for what a client that hangs up does not end.
                timeout_graceful_shutdown=math.ceil(grace) + 1,
                timeout_keep_alive=_KEEP_ALIVE,
                ws="none",
            )
        )
        self.url: Final = url_of(bound)
        self._bound = bound
        self._on_stop = on_stop
        self._drain = drain
        self._grace = grace
        self._is_stopping = False
        self._begun = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Enter once the server accepts requests; leave once it has stopped."""
        again = (self._bound.dup() for _ in range(_ACCEPTED_A_TURN - 1))
        serving = asyncio.create_task(self.serve(sockets=[self._bound, *again]))
        serving.add_done_callback(lambda _: self._begun.set())
        try:
            await self._begun.wait()
            yield
        except BaseException:
            self.should_exit = True
            raise
        finally:
            await serving

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._begun.set()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._is_stopping = True
        drop_new_connections(self._bound)
        await asyncio.sleep(_HANDSHAKE)
        ending = asyncio.get_running_loop().call_later(self._grace, self._hang_up)
        await super().shutdown(sockets)
        ending.cancel()
        if self.force_exit:  # uvicorn has not waited for the lifespan, or has: then this does nothing
            self._hang_up()
            await self.lifespan.shutdown()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_stop()
        if self._is_stopping or sig == signal.SIGINT or not self._drain:
            super().handle_exit(sig, frame)
        else:
            asyncio.get_running_loop().call_later(self._drain, self._stop_accepting)
        self._is_stopping = True

    def _stop_accepting(self) -> None:
        self.should_exit = True

    def _hang_up(self) -> None:
        for connection in tuple(self.server_state.connections):
            cast("Connection", connection).hang_up()
