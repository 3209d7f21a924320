"""Start-up of the peers in Python: uvicorn with httptools and uvloop, one process, a free port."""

import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import uvicorn

__all__ = ("App", "Receive", "Scope", "Send", "serve")

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def serve(app: App) -> None:
    """Serve *app*, and print its URL once connections are accepted."""
    config = uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="warning")
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
