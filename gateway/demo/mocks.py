"""The mock services that the demo plays with: those that run, else its own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.settings import SERVICES
from gateway.showcase import mock_services, mocks_answer

__all__ = ("mocks_from",)


@asynccontextmanager
async def mocks_from(port: int) -> AsyncGenerator[bool]:
    """Have mock services on *port* and those after it; give whether they ran before.

    Those that did are left to run, as they are; others have the latencies of the contract, so that times mean
    something. Raises `MocksFailedError` if it has to start some and cannot.
    """
    if await mocks_answer([f"http://127.0.0.1:{port + n}" for n, _ in enumerate(SERVICES)]):
        yield True
    else:
        async with mock_services(port, latency_scale=1):
            yield False
