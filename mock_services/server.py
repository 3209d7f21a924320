"""Serves several applications in one event loop, each on its own port."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_services.connection import CLOSE

__all__ = ["ListenError", "Listener", "serve"]

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 120
"""Longer than clients keep idle connections: a mock must not hang up on a request that is on its way."""


class ListenError(Exception):
    """A port is taken, or an address is not this machine's."""


@dataclass(frozen=True)
class Listener:
    """An application and the socket on which it is found."""

    name: str
    app: ASGIApp
    socket: socket.socket

    @classmethod
    def bind(cls, name: str, app: ASGIApp, host: str, port: int) -> "Listener":
        """Listen on a port, 0 being any free one; nobody is answered yet.

        Raises ListenError, whose text is for whoever started the program.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return cls(name, app, socket.create_server((host, port), family=family, backlog=_BACKLOG))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"port {port} ({name}) is taken: {os.strerror(errno.EADDRINUSE)}"
            else:
                message = f"cannot listen on {host} port {port} ({name}): {error.strerror}"
            raise ListenError(message) from error

    @property
    def url(self) -> str:
        """Where the application is found."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(listeners: Sequence[Listener], stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve until `stop` is set, and call `ready` when all listeners answer.

    The end is prompt: connections are closed under calls that are still open.
    """
    servers = [_Server(listener.app) for listener in listeners]
    async with asyncio.TaskGroup() as group:
        for server, listener in zip(servers, listeners, strict=True):
            group.create_task(server.serve([listener.socket]))
        for server in servers:
            await server.ready.wait()
        ready()
        await stop.wait()
        for server in servers:
            server.should_exit = True


class _Server(Server):
    """A uvicorn server that leaves signals to the program: there are several of it."""

    def __init__(self, app: ASGIApp) -> None:
        self.ready = asyncio.Event()
        super().__init__(
            Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            )
        )

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _Protocol(HttpToolsProtocol):
    """A connection that the application can close, and that does not outlive its server."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))  # uvloop's is one in all but its bases
        self.app_state = {CLOSE: transport.close}

    @override
    def shutdown(self) -> None:
        self.transport.close()
