"""Server process: uvicorn with a drain, and a graceful shutdown that leaves the exit code to the caller."""

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
from gateway.server.connections import ServerConnections
from gateway.server.descriptors import MAX_CONNECTIONS
from gateway.server.front_door import FrontDoor
from gateway.server.listener import drop_new_connections, format_url
from gateway.server.protocol.http_protocol import HttpProtocol
from gateway.server.trusted_proxy import TrustedProxyHeaders

__all__ = ("Server",)

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# An AWS load balancer keeps idle connections for 60 s, and responds with 502 if the server closes one first:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
_KEEP_ALIVE: Final = 75
"""Seconds before an idle connection is closed: longer than a load balancer keeps the connection open.

Otherwise the load balancer may send a request on a connection that the server is closing.
"""
_ACCEPTS_PER_TURN: Final = 8
"""Connections that are accepted in a turn of the event loop.

uvloop accepts one connection per turn and socket (https://github.com/libuv/libuv/pull/3696). Under overload a
turn is long, so connections would wait for seconds in the backlog before load shedding sees them. The loop
polls every duplicate of a listening socket, so eight duplicates accept eight connections per turn.

The cost: all duplicates wake up for each connection. Measured: a single connection takes 180 us of CPU, to
which 8 duplicates add 24 us (32 would add 88 us). In a burst of 16 connections, 8 duplicates take 20 us less
than a single socket. At twice the capacity a turn takes 20 to 30 ms, so about 300 connections are accepted
per second.

Workers that share a socket share the eight, at least one each: otherwise the one that wakes up first would
take most connections of a burst. Measured with 3 workers and 300 connections at once: 192, 81 and 27
connections with eight duplicates each, 108, 99 and 93 with two.
"""
_HANDSHAKE: Final = 0.25
"""Seconds that TCP handshakes in progress have to complete during shutdown: a round trip and a loop turn.

The connection of a client with a longer round trip, or with a lost packet, may be reset.
"""


@final
class Server(uvicorn.Server):
    """uvicorn server for *app* on the socket *listener*, which shuts down gracefully on SIGINT or SIGTERM.

    1. **Drain**, on SIGTERM only. *on_stop* is called, which makes readiness fail, and every response closes
       its connection. For *drain* seconds the server still accepts connections, so that load balancers see
       readiness fail and route new requests elsewhere. SIGINT, from a person at a terminal, calls *on_stop*
       too but skips the drain.
    2. **Stop accepting.** New TCP connections are ignored; established connections are served.
    3. **Grace.** Requests in progress have *grace* seconds to finish. Then their connections are aborted,
       which cancels them as if their clients had disconnected.
    4. **Lifespan.** The application finishes its commits. No signal cuts this short.

    At most *max_connections* are open at the same time; beyond that, the longest idle one is closed. After
    the *front_door* has refused a request, its connection is not read for *refusal_pause* seconds.
    *stop_accepting* makes the listener ignore new TCP connections. *workers* processes share the listener.

    A second signal ends the drain. A SIGINT after the drain ends the grace period.

    uvicorn raises the signal again after a graceful shutdown (`capture_signals`), which would end the process
    with code 143; this class does not, and leaves the exit code to the caller.
    """

    def __init__(  # noqa: PLR0913 - the parts and the terms of a server
        self,
        app: FastAPI,
        listener: socket.socket,
        *,
        on_stop: Callable[[], None],
        drain: float,
        grace: float,
        max_connections: int = MAX_CONNECTIONS,
        front_door: FrontDoor | None = None,
        refusal_pause: float = 0.0,
        stop_accepting: Callable[[socket.socket], None] = drop_new_connections,
        workers: int = 1,
        protocol: type[HttpProtocol] = HttpProtocol,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                TrustedProxyHeaders(ConnectionClose(app, lambda: self._is_stopping)),
                access_log=False,
                http=protocol,
                lifespan="on",
                log_config=None,
                proxy_headers=False,  # see `TrustedProxyHeaders`
                server_header=False,
                # Fallback: uvicorn cancels requests that go on after the end of the grace period.
                timeout_graceful_shutdown=math.ceil(grace) + 1,
                timeout_keep_alive=_KEEP_ALIVE,
                ws="none",
            )
        )
        self.server_state = self._connections = ServerConnections(max_connections, front_door, refusal_pause)
        self.url: Final = format_url(listener)
        self._listener = listener
        self._on_stop = on_stop
        self._stop_accepting = stop_accepting
        self._accepts_per_turn = max(_ACCEPTS_PER_TURN // workers, 1)
        self._drain = drain
        self._grace = grace
        self._is_stopping = False
        self._started = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serve_until_stopped(self) -> AsyncGenerator[None]:
        """Serve in the background of an `async with` block.

        The block begins when the server accepts requests, or has failed to start. At the end of the block,
        wait until a signal has shut the server down. An exception in the block shuts it down, too.
        """
        duplicates = (self._listener.dup() for _ in range(self._accepts_per_turn - 1))
        serving = asyncio.create_task(self.serve(sockets=[self._listener, *duplicates]))
        serving.add_done_callback(lambda _: self._started.set())
        try:
            await self._started.wait()
            yield
        except BaseException:
            self.should_exit = True
            raise
        finally:
            await serving

    def stop(self) -> None:
        """Shut down as SIGTERM does."""
        self.handle_exit(signal.SIGTERM, None)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._is_stopping = True
        self._stop_accepting(self._listener)
        await asyncio.sleep(_HANDSHAKE)
        end_of_grace = asyncio.get_running_loop().call_later(self._grace, self._abort_connections)
        await super().shutdown(sockets)
        end_of_grace.cancel()
        if self.force_exit:  # uvicorn may have skipped the lifespan; shutting it down twice is harmless
            self._abort_connections()
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
        self._connections.front_door = None  # from now on each response closes its connection
        if self._is_stopping or sig == signal.SIGINT or not self._drain:
            super().handle_exit(sig, frame)
        else:
            asyncio.get_running_loop().call_later(self._drain, self._end_drain)
        self._is_stopping = True

    def _end_drain(self) -> None:
        self.should_exit = True

    def _abort_connections(self) -> None:
        for connection in tuple(self.server_state.connections):
            cast("HttpProtocol", connection).abort()
