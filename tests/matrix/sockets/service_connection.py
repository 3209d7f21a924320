"""Server side of a connection to the services of a matrix."""

import asyncio
from typing import Final, cast, final

import httptools
import httpx
from typing_extensions import override

from tests.matrix.faulty_services import Services

__all__ = ("ServiceConnection",)

_NO_CONTENT: Final = 204


@final
class ServiceConnection(asyncio.Protocol):
    """Connection whose requests *services* answer; their faults happen to the connection.

    A failure closes the connection. A client that disconnects cancels the request, which is how a service of
    the matrix notices that its client has given up.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def on_message_begin(self) -> None:
        self._target, self._body = b"", b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        (host,) = [value for name, value in self._headers if name.lower() == b"host"]
        url = f"http://{host.decode()}{self._target.decode()}"
        method = self._parser.get_method().decode()
        request = httpx.Request(method, url, headers=self._headers, content=self._body)
        self._task = asyncio.create_task(self._answer(request))
        self._services.tasks.add(self._task)
        self._task.add_done_callback(self._services.tasks.discard)

    async def _answer(self, request: httpx.Request) -> None:
        try:
            response = await self._services.handle_async_request(request)
            self._transport.write(_write_head(response))
            try:
                async for part in cast("httpx.AsyncByteStream", response.stream):
                    self._transport.write(part)
            finally:
                await response.aclose()
        except httpx.TransportError:
            self._transport.close()


def _write_head(response: httpx.Response) -> bytes:
    headers = response.headers.raw
    if "content-length" not in response.headers and response.status_code != _NO_CONTENT:
        headers = [*headers, (b"content-length", b"0")]
    lines = [b"HTTP/1.1 %d \r\n" % response.status_code, *(b"%b: %b\r\n" % header for header in headers)]
    return b"".join((*lines, b"\r\n"))
