"""HTTP server for several applications in the same event loop, each on its own port."""

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

from mock_services.http.connection import CLOSE

__all__ = ["ListenError", "Listener", "serve"]

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 120
"""Longer than clients keep idle connections, so that the server closes no connection in use."""


class ListenError(Exception):
    """A listening socket cannot be opened; the message names the port, the service and the reason."""


@dataclass(frozen=True)
class Listener:
    """An application and its listening socket."""

    name: str
    app: ASGIApp
    socket: socket.socket

    @classmethod
    def bind(cls, name: str, app: ASGIApp, host: str, port: int) -> "Listener":
        """Listen on a port (0: any free port), without serving requests yet.

        Raises ListenError with a message for the user of the command.
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
        """The URL of the application."""
        host, port = self.socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve(listeners: Sequence[Listener], stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """Serve until *stop* is set; call *ready* once all listeners serve requests.

    Does not drain: connections with requests in flight are closed.
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
    """A uvicorn server that does not handle signals, because several servers share the process."""

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
    """A connection that the application can close, and that is closed at once when its server stops."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(
            cast("asyncio.Transport", transport)
        )  # uvloop's transport is not a subclass, but has the methods
        self.app_state = {CLOSE: transport.close}

    @override
    def shutdown(self) -> None:
        self.transport.close()
