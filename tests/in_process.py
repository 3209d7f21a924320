"""The mock services in this process, where the gateway looks for them by default."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from gateway.settings import Settings
from mock_services.catalogue import SERVICES, create_service

_URLS: Final = Settings().urls


class InProcess(httpx.AsyncBaseTransport):
    """Reaches each mock service by the port that it would listen on."""

    def __init__(self) -> None:
        self._services = {
            urlsplit(_URLS[name]).port: httpx.ASGITransport(create_service(name)) for name in SERVICES
        }
        self.is_closed = False

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._services[request.url.port].handle_async_request(request)

    @override
    async def aclose(self) -> None:
        self.is_closed = True

    async def break_down(self, service: str, *faults: tuple[str, str]) -> None:
        """Have *service* fail at each path as its kind of fault says."""
        asked = [{"path_prefix": path, "kind": kind} for path, kind in faults]
        await self._control("PUT", service, "faults", asked)

    async def calls_of(self, service: str) -> Sequence[str]:
        """Give the operations that were asked of *service*, in the order in which they ended."""
        return [call["operation"] for call in (await self._control("GET", service, "calls")).json()]

    async def _control(self, method: str, service: str, what: str, body: object = None) -> httpx.Response:
        request = httpx.Request(method, f"{_URLS[service]}/_mock/{what}", json=body)
        response = await self.handle_async_request(request)
        response.request = request
        await response.aread()
        return response.raise_for_status()
