"""The gateway as `gateway serve` serves it, with a look inside."""

import logging
import socket
from typing import Final

import uvloop

from benchmarks.storms.inside import watched
from gateway.app import create_app
from gateway.server.gc_tuning import tune_gc
from gateway.server.server import Server, listening
from gateway.settings import Settings

_GRACE: Final = 6.0


async def served(settings: Settings, bound: socket.socket) -> None:
    """Serve, and say where once it does."""
    app = create_app(settings)
    watched(app)
    server = Server(app, bound, on_stop=lambda: None, drain=0, grace=_GRACE)
    async with server.running():
        tune_gc()
        print(server.url, flush=True)


if __name__ == "__main__":
    # What the gateway logs costs time as well.
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvloop.run(served(Settings(), listening("127.0.0.1", 0)))
