"""The gateway as `gateway serve` serves it, with a look inside."""

import logging
from typing import TYPE_CHECKING, cast

import uvloop

from benchmarks.storms.inside import watched
from gateway.app import create_server
from gateway.server import Server, listening
from gateway.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


async def served(server: Server) -> None:
    """Serve, and say where once it does."""
    watched(cast("FastAPI", server.config.app))
    async with server.running():
        print(server.url, flush=True)


if __name__ == "__main__":
    # What the gateway logs costs time as well.
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvloop.run(served(create_server(Settings(), listening("127.0.0.1", 0))))
