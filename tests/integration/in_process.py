"""Mock services in this process, at the gateway's default URLs, and a gateway in front of them."""

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


class InProcessServices(httpx.AsyncBaseTransport):
    """Transport to the mock services; the port in the URL of a request selects the service."""

    def __init__(self) -> None:
        self._services = {
            urlsplit(URLS[name]).port: httpx.ASGITransport(create_service(name)) for name in SERVICES
        }
        self._responses: dict[str, Json] = {}
        self.is_closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (url := str(request.url)) in self._responses:
            return httpx.Response(200, json=self._responses[url])
        return await self._services[request.url.port].handle_async_request(request)

    @override
    async def aclose(self) -> None:
        self.is_closed = True

    async def set_faults(self, service: str, *faults: tuple[str, str], **options: Json) -> None:
        """Replace the faults of *service* by *faults*, each a path prefix and a kind.

        The *options*, such as `times`, apply to each of *faults*. Without *faults*, the service is healthy.
        """
        body = [{"path_prefix": path, "kind": kind, **options} for path, kind in faults]
        await self._control("PUT", service, "faults", body)

    async def set_latencies(self, service: str, path: str, *latencies_ms: int) -> None:
        """Replace the faults of *service* by the latencies of its next calls at *path*, in milliseconds."""
        fault = {"path_prefix": path, "kind": "latency", "times": 1}
        await self._control("PUT", service, "faults", [{**fault, "latency_ms": ms} for ms in latencies_ms])

    def set_response(self, service: str, path: str, body: Json) -> None:
        """Respond to every request for *path* with *body* and status 200, without calling *service*."""
        self._responses[URLS[service] + path] = body

    async def fetch_calls(self, service: str) -> Sequence[str]:
        """Return the operations of the calls to *service*, in the order in which the calls ended."""
        return [call["operation"] for call in (await self._control("GET", service, "calls")).json()]

    async def fetch_state(self, service: str) -> Mapping[str, Any]:
        """Return the data that *service* stores."""
        state: Mapping[str, Any] = (await self._control("GET", service, "state")).json()
        return state

    async def _control(self, method: str, service: str, resource: str, body: object = None) -> httpx.Response:
        request = httpx.Request(method, f"{URLS[service]}/_mock/{resource}", json=body)
        response = await self.handle_async_request(request)
        response.request = request
        await response.aread()
        return response.raise_for_status()


@asynccontextmanager
async def run_gateway(services: InProcessServices, **settings: Json) -> AsyncGenerator[httpx.AsyncClient]:
    """Run a gateway in front of *services*, yield its client, and shut it down gracefully."""
    app = create_app(load_settings(SHIPPED, **settings), transport=services)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client
