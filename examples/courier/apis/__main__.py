"""Serve the three stand-ins on ports 8301 to 8303, or on those that follow `--port`, until Ctrl-C."""

import argparse
import asyncio
from typing import Final

import uvicorn
from fastapi import FastAPI

from examples.courier.apis.geocoder import create_geocoder_api
from examples.courier.apis.payments import create_payments_api
from examples.courier.apis.tickets import create_tickets_api

FIRST_PORT: Final = 8301


async def serve(first_port: int) -> None:
    """Serve each API on its own port, the first on *first_port*."""
    apis = (create_payments_api(search_delay=1.0), create_geocoder_api(), create_tickets_api())
    await asyncio.gather(*(serve_api(api, port) for port, api in enumerate(apis, start=first_port)))


async def serve_api(api: FastAPI, port: int) -> None:
    """Serve *api* on *port* of the loopback interface."""
    config = uvicorn.Config(api, host="127.0.0.1", port=port, log_level="warning")
    print(f"{api.title}: http://127.0.0.1:{port}", flush=True)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.courier.apis", description=__doc__)
    parser.add_argument("--port", type=int, default=FIRST_PORT, help="first port (default: %(default)s)")
    asyncio.run(serve(parser.parse_args().port))
