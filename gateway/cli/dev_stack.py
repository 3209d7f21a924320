"""The gateway with mock services behind it, and one checkout to show that it works."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import IO, Final, cast

import httpx

__all__ = (
    "MOCKS_PORT",
    "ORDER",
    "MocksFailedError",
    "mock_services",
    "mocks_answer",
    "where",
    "worked_checkout",
)

_PATIENCE: Final = 1.0

MOCKS_PORT: Final = 8101
"""Where the mock services are by default: the first here, the others on the ports that follow."""

ORDER: Final[Mapping[str, str]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
"""A checkout that the mock services have everything for."""


class MocksFailedError(Exception):
    """The mock services ended before they were ready; they have said why."""


@asynccontextmanager
async def mock_services(port: int, latency_scale: float | None = None) -> AsyncGenerator[str]:
    """Run all mock services beside this process, on *port* and those after it; enter once they answer.

    With port 0 each takes a free one. Gives the line in which they say where they are (see `where`); raises
    `MocksFailedError` if they end instead. They end with this process, even if it is killed: their standard
    input closes then. Their latencies are those of the contract times *latency_scale*, if given, else times
    MOCK_LATENCY_SCALE in the environment.
    """
    scale = {} if latency_scale is None else {"MOCK_LATENCY_SCALE": str(latency_scale)}
    with _started(port, {**os.environ, **scale}) as process:
        said = await asyncio.to_thread(cast("IO[str]", process.stdout).readline)
        if not said:
            raise MocksFailedError
        yield said.rstrip()


def where(said: str) -> Mapping[str, str]:
    """Read the line in which mock services say where they are: the URL of each by name."""
    _, *words, _ = said.split()
    return dict(zip(words[::2], words[1::2], strict=True))


async def mocks_answer(urls: Iterable[str]) -> bool:
    """Tell whether each of *urls* is a mock service's, by what only they have: anything may answer there."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
        return all(await asyncio.gather(*(_is_mock(client, url) for url in urls)))


async def _is_mock(client: httpx.AsyncClient, url: str) -> bool:
    try:
        answer = await client.get(f"{url}/_mock/state")
    except httpx.TransportError:
        return False
    return answer.is_success


async def worked_checkout(url: str) -> str:
    """Make one checkout at the gateway at *url*; tell it as a command and its answer."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        try:
            answer = await client.post("/checkout", json=ORDER)
        except httpx.TransportError:  # it was told to stop meanwhile
            return "the gateway stopped before it had answered"
    body = json.dumps(answer.json(), indent=2)
    return f"{_curl(url)}\n{answer.status_code} {answer.reason_phrase}\n{body}"


def _curl(url: str) -> str:
    """Give the command that makes the example's checkout at the gateway at *url*."""
    data = shlex.quote(json.dumps(ORDER))
    return f"curl -i {url}/checkout -H 'Content-Type: application/json' -d {data}"


def _started(port: int, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    program = (sys.executable, "-m", "mock_services", "all", "--base-port", str(port), "--exit-with-stdin")
    return subprocess.Popen(  # noqa: S603 - a program of our own, and no shell
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
