"""Network between the gateway and the services of a matrix."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final, final

import httpx
from typing_extensions import override

from tests.matrix.faulty_services import Services
from tests.matrix.sockets.loopback_loop import LoopbackLoop
from tests.matrix.sockets.service_connection import ServiceConnection

__all__ = ("Network",)

_DEAD_PORT: Final = 9


@final
class Network(httpx.AsyncBaseTransport):
    """Sends requests to *services* by *transport*, over connections of the running loop.

    A request whose connection is refused is sent to a port on which nothing listens.
    """

    def __init__(self, services: Services, transport: httpx.AsyncBaseTransport) -> None:
        self._services = services
        self._transport = transport
        loop = asyncio.get_running_loop()
        assert isinstance(loop, LoopbackLoop)
        loop.listen(services.ports, partial(ServiceConnection, services))

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._services.refuses_connection(request):
            with suppress(httpx.ConnectError):
                await self._services.handle_async_request(request)  # it records the attempt
            request = httpx.Request("GET", request.url.copy_with(port=_DEAD_PORT))
        return await self._transport.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._transport.aclose()
