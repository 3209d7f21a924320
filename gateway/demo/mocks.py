"""The mock services that the demo plays with: those that run, else its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import httpx

from gateway.settings import SERVICES
from gateway.showcase import mock_services

__all__ = ("mocks_from",)

_PATIENCE: Final = 1.0


@asynccontextmanager
async def mocks_from(port: int) -> AsyncGenerator[bool]:
    """Have mock services on *port* and those after it; give whether they ran before.

    Those that did are left to run, as they are; others have the latencies of the contract, so that times mean
    something. Raises `MocksFailedError` if it has to start some and cannot.
    """
    if await _run_from(port):
        yield True
    else:
        async with mock_services(port, latency_scale=1):
            yield False


async def _run_from(port: int) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
        return all(await asyncio.gather(*(_is_mock(client, port + n) for n, _ in enumerate(SERVICES))))


async def _is_mock(client: httpx.AsyncClient, port: int) -> bool:
    """Ask for what only a mock service has: anything may answer on a port."""
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/_mock/state")
    except httpx.TransportError:
        return False
    return answer.is_success
