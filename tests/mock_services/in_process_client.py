"""Clients of a mock service in the same process."""

import asyncio
from collections.abc import Mapping, Sequence

import httpx
from pydantic import TypeAdapter
from starlette.types import Message, Scope

from mock_services.app import ServiceApp
from mock_services.call_log import Call
from mock_services.catalogue import create_service
from mock_services.http.connection import CLOSE

_CALLS = TypeAdapter(list[Call])
_STATE = TypeAdapter(dict[str, object])


def create_client(service: ServiceApp | str) -> httpx.AsyncClient:
    """Return a client of *service*; a name stands for a new service of the catalogue without latency."""
    app = create_service(service, latency_scale=0) if isinstance(service, str) else service
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock")


async def put_faults(client: httpx.AsyncClient, *faults: Mapping[str, object]) -> None:
    (await client.put("/_mock/faults", json=faults)).raise_for_status()


async def write(client: httpx.AsyncClient, path: str, key: str, body: object) -> httpx.Response:
    return await client.post(path, json=body, headers={"Idempotency-Key": key})


async def fetch_state(client: httpx.AsyncClient) -> dict[str, object]:
    """Return the state of a service, which is compared as a whole and not typed further."""
    return _STATE.validate_json((await client.get("/_mock/state")).content)


async def fetch_calls(client: httpx.AsyncClient) -> Sequence[Call]:
    return _CALLS.validate_json((await client.get("/_mock/calls")).content)


class AsgiConnection:
    """Client's end of an ASGI connection; both sides close it by setting *closed*."""

    def __init__(self, method: str, path: str, *, is_truncated: bool = False) -> None:
        self.sent: list[Message] = []
        self.closed = asyncio.Event()
        self._requests: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]
        if not is_truncated:
            self._requests.append({"type": "http.request", "body": b"}"})
        self.scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [],
            "state": {CLOSE: self.closed.set},
        }

    async def receive(self) -> Message:
        if self._requests:
            return self._requests.pop(0)
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def call(self, service: ServiceApp) -> None:
        await service(self.scope, self.receive, self.send)
