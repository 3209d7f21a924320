"""The mock services that the demo plays with: its own, so that whoever's run keep their state and faults."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Final, TypeAlias, final

import httpx
from pydantic import JsonValue, TypeAdapter

from gateway.cli.demo.scenario import Fault
from gateway.cli.dev_stack import mock_services, where

__all__ = ("Mocks", "State", "own_services", "unanswered")

State: TypeAlias = Mapping[str, JsonValue]
"""What services remember, by service and field: `account.balances`."""

_STATE: Final = TypeAdapter(dict[str, JsonValue])


@asynccontextmanager
async def own_services() -> AsyncGenerator[Mapping[str, str]]:
    """Run mock services on free ports, as slow as the contract says; give their URLs by name.

    Raises `MocksFailedError` if they cannot be started.
    """
    async with mock_services(0, latency_scale=1) as said:
        yield where(said)


@final
class Mocks:
    """The mock services at *urls*, and what they can be told, by way of *transport*, which is left open."""

    def __init__(self, urls: Mapping[str, str], transport: httpx.AsyncBaseTransport) -> None:
        self.urls: Final = urls
        self._transport = transport

    async def put(self, faults: Collection[Fault]) -> None:
        """Let each service do wrong what *faults* say of it."""
        for service in {fault.service for fault in faults}:
            body = [_in_its_words(fault) for fault in faults if fault.service == service]
            await self._asked("PUT", service, "/_mock/faults", body)

    async def state(self) -> State:
        """Ask what they remember, all of them."""
        told = await asyncio.gather(*map(self._state_of, self.urls))
        return {name: value for fields in told for name, value in fields.items()}

    async def reset(self, services: Collection[str]) -> None:
        """Make *services* as new."""
        await asyncio.gather(*(self._asked("DELETE", service, "/_mock") for service in services))

    async def _state_of(self, service: str) -> State:
        told = _STATE.validate_json((await self._asked("GET", service, "/_mock/state")).content)
        return {f"{service}.{name}": value for name, value in told.items()}

    async def _asked(self, method: str, service: str, path: str, body: object = None) -> httpx.Response:
        request = httpx.Request(method, f"{self.urls[service]}{path}", json=body)
        response = await self._transport.handle_async_request(request)
        await response.aread()
        response.request = request
        return response.raise_for_status()


@asynccontextmanager
async def unanswered() -> AsyncGenerator[str]:
    """Give a URL where nobody answers: a port that is bound, so that nobody else can, but not listened on."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        host, port = dead.getsockname()
        yield f"http://{host}:{port}"


def _in_its_words(fault: Fault) -> Mapping[str, object]:
    return {name: value for name, value in asdict(fault).items() if name != "service" and value is not None}
