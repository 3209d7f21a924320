"""HTTP/1.1 client with hardly any features, on `asyncio.Protocol` and httptools.

It sends one request at a time on a connection, reads responses with a Content-Length, and keeps idle
connections for ever. It has no timeouts. A real client needs more of everything; this one shows how few
microseconds an exchange can take in Python.
"""

import asyncio
from typing import Final, cast, final

import httptools
from typing_extensions import override

__all__ = ("Pool",)


@final
class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._loop = asyncio.get_running_loop()
        self._body = b""
        self._exchange: asyncio.Future[tuple[int, bytes]] | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.done():
            exchange.set_result((self._parser.get_status_code(), self._body))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._exchange is not None and not self._exchange.done():
            self._exchange.set_exception(exc or ConnectionError("the service closed the connection"))

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._body = b""
        self._exchange = self._loop.create_future()
        self._transport.write(request)
        return self._exchange

    @property
    def is_closed(self) -> bool:
        return self._transport.is_closing()


@final
class Pool:
    """Connections to one server; *url* is its URL without a path."""

    def __init__(self, url: str) -> None:
        authority = url.removeprefix("http://")
        host, _, port = authority.partition(":")
        self._address: Final = host, int(port)
        self._get_tail = f" HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        self._post_tail = (
            f" HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: ".encode()
        )
        self._idle: list[_Connection] = []

    async def get(self, path: str) -> bytes:
        """Send a GET; return the body of the response."""
        return await self._exchange(b"GET %b%b" % (path.encode(), self._get_tail))

    async def post(self, path: str, body: bytes) -> bytes:
        """Send a POST with a JSON body; return the body of the response."""
        return await self._exchange(
            b"POST %b%b%d\r\n\r\n%b" % (path.encode(), self._post_tail, len(body), body)
        )

    async def _exchange(self, request: bytes) -> bytes:
        connection = self._take() or await self._connect()
        status, body = await connection.send(request)
        self._idle.append(connection)
        if status >= 300:  # noqa: PLR2004 - not a success
            msg = f"a service answered with {status}"
            raise ConnectionError(msg)
        return body

    def _take(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed:
                return connection
        return None

    async def _connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, *self._address)
        return connection
