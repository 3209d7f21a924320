"""The gateway as it is, with a look inside."""

import logging

from benchmarks.storms.serving import serve
from gateway.app import create_app
from gateway.settings import Settings

if __name__ == "__main__":
    # As `gateway serve` logs: what that costs under a storm is part of the storm.
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    serve(create_app(Settings()), http="h11")
