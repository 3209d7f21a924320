"""The mock services beside the gateway, and the sample checkout."""

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
    "SAMPLE_ORDER",
    "MocksFailedError",
    "parse_urls",
    "probe_mock_services",
    "run_mock_services",
    "send_sample_checkout",
)

_PROBE_TIMEOUT: Final = 1.0

MOCKS_PORT: Final = 8101
"""Default port of the first mock service; the others take the ports that follow."""

SAMPLE_ORDER: Final[Mapping[str, str]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
"""A checkout that succeeds with the data of the mock services."""


class MocksFailedError(Exception):
    """The mock services exited before they were ready; they have printed the reason to stderr."""


@asynccontextmanager
async def run_mock_services(port: int, latency_scale: float | None = None) -> AsyncGenerator[str]:
    """Run all mock services in a child process, on *port* and the ports that follow.

    If *port* is 0, they run on free ports. Yields the line that announces their URLs (see `parse_urls`) once
    they accept requests; raises `MocksFailedError` if they exit instead. *latency_scale* multiplies the
    default latencies, and defaults to MOCK_LATENCY_SCALE in the environment.

    The services exit when their standard input closes, so they end with this process, even if it is killed.
    """
    scale = {} if latency_scale is None else {"MOCK_LATENCY_SCALE": str(latency_scale)}
    with _start_mock_services(port, {**os.environ, **scale}) as process:
        announcement = await asyncio.to_thread(cast("IO[str]", process.stdout).readline)
        if not announcement:
            raise MocksFailedError
        yield announcement.rstrip()


def parse_urls(announcement: str) -> Mapping[str, str]:
    """Parse the line in which the mock services announce their URLs; return the URLs by service name."""
    _, *words, _ = announcement.split()
    return dict(zip(words[::2], words[1::2], strict=True))


async def probe_mock_services(urls: Iterable[str]) -> bool:
    """Return True if a mock service answers at each of *urls*; real services lack the probed endpoint."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PROBE_TIMEOUT) as client:
        return all(await asyncio.gather(*(_probe_mock_service(client, url) for url in urls)))


async def _probe_mock_service(client: httpx.AsyncClient, url: str) -> bool:
    try:
        response = await client.get(f"{url}/_mock/state")
    except httpx.TransportError:
        return False
    return response.is_success


async def send_sample_checkout(url: str) -> str:
    """Send `SAMPLE_ORDER` to the gateway at *url*; return the equivalent curl command and the response.

    If the gateway stops before it answers, return a message instead.
    """
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        try:
            response = await client.post("/checkout", json=SAMPLE_ORDER)
        except httpx.TransportError:  # a signal has stopped the gateway
            return "the gateway stopped before it answered the sample checkout"
    body = json.dumps(response.json(), indent=2)
    return f"{_format_curl(url)}\n{response.status_code} {response.reason_phrase}\n{body}"


def _format_curl(url: str) -> str:
    data = shlex.quote(json.dumps(SAMPLE_ORDER))
    return f"curl -i {url}/checkout -H 'Content-Type: application/json' -d {data}"


def _start_mock_services(port: int, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    program = (sys.executable, "-m", "mock_services", "all", "--base-port", str(port), "--exit-with-stdin")
    return subprocess.Popen(  # noqa: S603 - our own program, without a shell
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
