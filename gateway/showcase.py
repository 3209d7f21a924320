"""The gateway with mock services behind it, and one checkout to show that it works."""

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import httpx

__all__ = ("MOCKS_PORT", "MocksFailedError", "mock_services", "worked_checkout")

MOCKS_PORT: Final = 8101
"""Where the mock services are by default: the first here, the others on the ports that follow."""

_ORDER: Final[Mapping[str, str]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
_PATIENCE: Final = 15.0
"""Seconds that the mock services have to start, and to end once they have been told to."""


class MocksFailedError(Exception):
    """The mock services ended before they accepted connections, and have said why; or never accepted any."""


@asynccontextmanager
async def mock_services(port: int, urls: Iterable[str]) -> AsyncGenerator[None]:
    """Run all mock services beside this process, on *port* and those that follow; enter once *urls* accept.

    They end with this process, even if it is killed: their standard input closes then.
    """
    program = (sys.executable, "-m", "mock_services", "all", "--base-port", str(port), "--exit-with-stdin")
    process = await asyncio.create_subprocess_exec(*program, stdin=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(_PATIENCE):
            await _accepting(urls, process)
        yield
    except TimeoutError as error:
        raise MocksFailedError from error
    finally:
        await _ended(process)


async def worked_checkout(url: str) -> str:
    """Make one checkout at the gateway at *url*; tell it as a command and its answer."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.post("/checkout", json=_ORDER)
    body = json.dumps(answer.json(), indent=2)
    return f"{_curl(url)}\n{answer.status_code} {answer.reason_phrase}\n{body}"


def _curl(url: str) -> str:
    """Give the command that makes the example's checkout at the gateway at *url*."""
    data = shlex.quote(json.dumps(_ORDER))
    return f"curl -i {url}/checkout -H 'Content-Type: application/json' -d {data}"


async def _accepting(urls: Iterable[str], process: asyncio.subprocess.Process) -> None:
    for url in urls:
        while not await _accepts(httpx.URL(url)):
            if process.returncode is not None:
                raise MocksFailedError
            await asyncio.sleep(0.05)


async def _accepts(url: httpx.URL) -> bool:
    try:
        _, writer = await asyncio.open_connection(url.host, url.port or 80)
    except OSError:
        return False
    writer.close()
    return True


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
            return
    process.kill()
    await process.wait()
