"""HTTP/1.1 transport for httpx, on httptools."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, final

import httpx
from typing_extensions import override

from gateway.http1.dialer import Dialer
from gateway.http1.pool import Pool
from gateway.http1.request_writer import write_request
from gateway.http1.resolver import Resolver
from gateway.http1.response_reader import Message
from gateway.http1.terms import DEFAULT_TERMS, TransportTerms

__all__ = ("Http1Transport",)

_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
_NO_TIMEOUTS: Final[Mapping[str, float | None]] = MappingProxyType({})

Origin: TypeAlias = tuple[str, str, int | None]


@final
class Http1Transport(httpx.AsyncBaseTransport):
    """Transport of requests over HTTP/1.1, without redirects, cookies and proxies.

    It reads whole requests and responses, which *terms* bound, and sends each request once. The request's
    extension `timeout` has httpx's timeouts: for connecting, for a free connection (`pool`), and for reading
    and writing without progress. The extension `max_body` is the largest body of a response, in bytes.

    - *tls*: context for https; by default one that verifies certificates with the system's authorities.
    - *resolver*: resolves host names.

    Connections belong to the event loop in which they are made: the transport can be used in another loop
    after it. `aclose` closes all of them; the transport can be used again.

    Raises httpx's exceptions: `ConnectError`, `ConnectTimeout` and `PoolTimeout` if nothing has been sent,
    `ReadError` and `RemoteProtocolError` for a lost connection, `ReadTimeout` and `WriteTimeout`,
    `DecodingError` for what is no response or is over a limit, `LocalProtocolError`
    and `UnsupportedProtocol` for requests that cannot be sent. If it fails after the head of a response, the
    body of the response raises the exception.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        terms: TransportTerms = DEFAULT_TERMS,
        resolver: Resolver | None = None,
    ) -> None:
        self._tls = tls
        self._terms = terms
        self._resolver = resolver or Resolver(terms.address_ttl)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pools: dict[Origin, Pool] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        extensions = request.extensions
        timeouts: Mapping[str, float | None] = extensions.get("timeout", _NO_TIMEOUTS)
        data = write_request(request, await request.aread())
        pool = self._find_pool(request.url)
        connection = await pool.acquire(connect=timeouts.get("connect"), pool=timeouts.get("pool"))
        try:
            message = await connection.exchange(
                data,
                request.method,
                extensions.get("max_body", self._terms.max_body),
                read=timeouts.get("read"),
                write=timeouts.get("write"),
            )
        finally:
            pool.release(connection)
        return httpx.Response(
            message.status,
            headers=message.headers,
            stream=_Body(message),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": message.reason},
        )

    @override
    async def aclose(self) -> None:
        pools = [*self._pools.values()] if self._loop is asyncio.get_running_loop() else []
        self._pools.clear()
        for pool in pools:
            await pool.aclose()

    def _find_pool(self, url: httpx.URL) -> Pool:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop = loop
            self._pools.clear()
        origin = (url.scheme, url.host, url.port)
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._create_pool(*origin)
        return pool

    def _create_pool(self, scheme: str, host: str, port: int | None) -> Pool:
        if scheme not in _PORTS or not host:
            msg = "the URL needs the scheme http or https, and a host"
            raise httpx.UnsupportedProtocol(msg)
        tls = None
        if scheme == "https":
            tls = self._tls = self._tls or ssl.create_default_context()
        dialer = Dialer(host, port or _PORTS[scheme], tls, self._resolver, self._terms)
        return Pool(dialer, self._terms)


@final
class _Body(httpx.AsyncByteStream):
    """Body that has been read, and the error that has cut it short, if any."""

    def __init__(self, message: Message) -> None:
        self._message = message

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._message.body:
            yield part
        if self._message.error is not None:
            raise self._message.error
