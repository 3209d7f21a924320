"""How both targets are served, and the one route that shows what is inside of them."""

import asyncio
import gc
import os
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Final, Literal

import uvicorn
from fastapi import FastAPI

__all__ = ("INSIDE", "serve")

INSIDE: Final = "/_inside"
_BACKLOG: Final = 2048


def serve(app: FastAPI, http: Literal["auto", "h11"]) -> None:
    """Serve *app* on a free port until standard input ends, and say where that is."""
    app.add_api_route(INSIDE, _inside, include_in_schema=False)
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as bound:
        print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
        threading.Thread(target=_end_with_stdin, daemon=True).start()
        config = uvicorn.Config(app, http=http, loop="uvloop", ws="none", log_config=None, access_log=False)
        uvicorn.Server(config).run(sockets=[bound])


async def _inside() -> Mapping[str, int]:
    gc.collect()
    return {"tasks": len(asyncio.all_tasks())}


def _end_with_stdin() -> None:
    while sys.stdin.read(4096):
        pass
    os._exit(0)
