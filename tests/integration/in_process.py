"""The mock services in this process, where the gateway looks for them by default, and a gateway in front."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from gateway.app import create_app
from gateway.services import SERVICES as SHIPPED
from gateway.settings import load_settings
from mock_services.catalogue import SERVICES, create_service
from tests.shipped_services import URLS

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"


class InProcess(httpx.AsyncBaseTransport):
    """Reaches each mock service by the port that it would listen on."""

    def __init__(self) -> None:
        self._services = {
            urlsplit(URLS[name]).port: httpx.ASGITransport(create_service(name)) for name in SERVICES
        }
        self._instead: dict[str, Json] = {}
        self.is_closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (url := str(request.url)) in self._instead:
            return httpx.Response(200, json=self._instead[url])
        return await self._services[request.url.port].handle_async_request(request)

    @override
    async def aclose(self) -> None:
        self.is_closed = True

    async def break_down(self, service: str, *faults: tuple[str, str], **how: Json) -> None:
        """Have *service* fail at each path as its kind of fault says; it is whole if there is none."""
        asked = [{"path_prefix": path, "kind": kind, **how} for path, kind in faults]
        await self._control("PUT", service, "faults", asked)

    async def be_slow(self, service: str, path: str, *latencies_ms: int) -> None:
        """Have *service* take so long at *path*: the first time, the second time, and so on."""
        fault = {"path_prefix": path, "kind": "latency", "times": 1}
        await self._control("PUT", service, "faults", [{**fault, "latency_ms": ms} for ms in latencies_ms])

    def answer(self, service: str, path: str, answer: Json) -> None:
        """Have *service* answer whatever is asked at *path* with this, and do nothing."""
        self._instead[URLS[service] + path] = answer

    async def calls_of(self, service: str) -> Sequence[str]:
        """Give the operations that were asked of *service*, in the order in which they ended."""
        return [call["operation"] for call in (await self._control("GET", service, "calls")).json()]

    async def state_of(self, service: str) -> Mapping[str, Any]:
        """Give what has been written to *service*."""
        state: Mapping[str, Any] = (await self._control("GET", service, "state")).json()
        return state

    async def _control(self, method: str, service: str, what: str, body: object = None) -> httpx.Response:
        request = httpx.Request(method, f"{URLS[service]}/_mock/{what}", json=body)
        response = await self.handle_async_request(request)
        response.request = request
        await response.aread()
        return response.raise_for_status()


@asynccontextmanager
async def gateway(services: InProcess, **settings: Json) -> AsyncGenerator[httpx.AsyncClient]:
    """Run a gateway in front of *services* until nothing is left to do; give what asks it."""
    app = create_app(load_settings(SHIPPED, **settings), transport=services)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        yield client
