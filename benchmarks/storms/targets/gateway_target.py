"""The gateway as `gateway serve` runs it, with the inspection route."""

import logging
import socket
from typing import Final

import uvloop

from benchmarks.storms.targets.inspection import add_inspection
from gateway.app import create_app
from gateway.server.gc_tuning import tune_gc
from gateway.server.listener import open_listener
from gateway.server.server import Server
from gateway.services import SERVICES
from gateway.settings import Settings, load_settings

_GRACE: Final = 6.0


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve, and print the URL once the server is ready."""
    app = create_app(settings)
    add_inspection(app)
    server = Server(app, listener, on_stop=lambda: None, drain=0, grace=_GRACE)
    async with server.serve_until_stopped():
        tune_gc()
        print(server.url, flush=True)


if __name__ == "__main__":
    # Logging is on as in production, because it takes time.
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvloop.run(serve(load_settings(SERVICES), open_listener("127.0.0.1", 0)))
