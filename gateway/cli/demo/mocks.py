"""Mock services that are started for the demo; other running mock services keep their state and faults."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final, TypeAlias, final

import httpx
from pydantic import JsonValue, TypeAdapter

from gateway.cli.demo.scenario import Fault
from gateway.cli.dev_stack import parse_urls, run_mock_services

__all__ = ("Mocks", "State", "reserve_dead_url", "run_demo_services")

State: TypeAlias = Mapping[str, JsonValue]
"""The state of services; the keys are service and field, such as `account.balances`."""

_STATE: Final = TypeAdapter(dict[str, JsonValue])


@asynccontextmanager
async def run_demo_services() -> AsyncGenerator[Mapping[str, str]]:
    """Run mock services on free ports, with their default latencies; yield their URLs by name.

    Raises `MocksFailedError` if they cannot be started.
    """
    async with run_mock_services(0, latency_scale=1) as announcement:
        yield parse_urls(announcement)


@final
class Mocks:
    """Controls the mock services at *urls* (by name) through *transport*, which it does not close."""

    def __init__(self, urls: Mapping[str, str], transport: httpx.AsyncBaseTransport) -> None:
        self.urls: Final = urls
        self._transport = transport

    async def set_faults(self, faults: Collection[Fault]) -> None:
        """Replace the faults of each service that occurs in *faults*; other services keep theirs."""
        for service in {fault.service for fault in faults}:
            body = [_fault_body(fault) for fault in faults if fault.service == service]
            await self._send("PUT", service, "/_mock/faults", body)

    async def read_state(self) -> State:
        """Return the state of all services."""
        states = await asyncio.gather(*map(self._read_state_of, self.urls))
        return {name: value for state in states for name, value in state.items()}

    async def reset(self, services: Collection[str]) -> None:
        """Reset the state, faults and call log of *services*."""
        await asyncio.gather(*(self._send("DELETE", service, "/_mock") for service in services))

    async def _read_state_of(self, service: str) -> State:
        response = await self._send("GET", service, "/_mock/state")
        state = _STATE.validate_json(response.content)
        return {f"{service}.{name}": value for name, value in state.items()}

    async def _send(self, method: str, service: str, path: str, body: object = None) -> httpx.Response:
        request = httpx.Request(method, f"{self.urls[service]}{path}", json=body)
        response = await self._transport.handle_async_request(request)
        await response.aread()
        response.request = request
        return response.raise_for_status()


@asynccontextmanager
async def reserve_dead_url() -> AsyncGenerator[str]:
    """Yield a URL that refuses connections.

    Its port is bound, so that no other process can use it, but nothing listens on it.
    """
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        host, port = reserved.getsockname()
        yield f"http://{host}:{port}"


def _fault_body(fault: Fault) -> Mapping[str, object]:
    return {name: value for name, value in asdict(fault).items() if name != "service" and value is not None}
