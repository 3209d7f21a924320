"""HTTP/1.1 transport for httpx, on httptools."""

import asyncio
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, final

import httpx
from typing_extensions import override

from gateway.http1.dialer import Dialer
from gateway.http1.loop_pools import LoopPools
from gateway.http1.pool import MakeRoom, Pool
from gateway.http1.prepared_request import Origin, PreparedRequest
from gateway.http1.received_response import ReceivedResponse
from gateway.http1.request_writer import write_request
from gateway.http1.resolver import Resolver
from gateway.http1.terms import DEFAULT_TERMS, TransportTerms

__all__ = ("Http1Transport",)

_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})
_NO_TIMEOUTS: Final[Mapping[str, float | None]] = MappingProxyType({})


@final
class Http1Transport(httpx.AsyncBaseTransport):
    """Transport of requests over HTTP/1.1, without redirects, cookies and proxies.

    It reads whole requests and responses, which *terms* bound, and sends each request once. The request's
    extension `timeout` has httpx's timeouts: for connecting, for a free connection (`pool`), and for reading
    and writing without progress. The extension `max_body` is the largest body of a response, in bytes.

    - *tls*: context for https; by default one that verifies certificates with the system's authorities.
    - *resolver*: resolves host names.

    Connections belong to the event loop in which they are made; the transport can be used in several loops.
    `aclose` closes those of the running loop, and so does the end of a loop that `asyncio.run` or
    `asyncio.Runner` has created. The transport can be used again.

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
        self._resolver = resolver or Resolver(terms.address_ttl, refresh_interval=terms.refresh_interval)
        self._last: LoopPools | None = None
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopPools] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        data = origin = None
        if isinstance(request, PreparedRequest):
            origin, data = request.origin, request.encoded
        if origin is None or data is None:
            origin, data = Origin.of(request.url), write_request(request, await request.aread())
        extensions = request.extensions
        timeouts: Mapping[str, float | None] = extensions.get("timeout", _NO_TIMEOUTS)
        pools = self._last
        if pools is None or pools.loop is not asyncio.get_running_loop():
            pools = await self._enter_loop()
        pool = self._find_pool(pools, origin)
        connection = pool.take() or await pool.acquire(
            connect=timeouts.get("connect"), pool=timeouts.get("pool")
        )
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
        return ReceivedResponse(
            message.status,
            message.headers,
            b"".join(message.body),
            error=message.error,
            fields=message.fields,
            extensions={
                "http_version": b"HTTP/" + message.version.encode(),
                "reason_phrase": message.reason,
            },
        )

    @override
    async def aclose(self) -> None:
        pools = self._by_loop.pop(asyncio.get_running_loop(), None)
        self._last = None
        if pools is not None:
            await pools.aclose()

    async def _enter_loop(self) -> LoopPools:
        """Return the pools of the running loop, and forget those of closed loops."""
        loop = asyncio.get_running_loop()
        self._by_loop = {each: pools for each, pools in self._by_loop.items() if not each.is_closed()}
        pools = self._by_loop.get(loop)
        if pools is None:
            # It does not suspend, so that concurrent first requests share the pools.
            pools = self._by_loop[loop] = await LoopPools.open()
        self._last = pools
        return pools

    def _find_pool(self, pools: LoopPools, origin: Origin) -> Pool:
        pool = pools.by_origin.get(origin)
        if pool is None:
            pool = pools.by_origin[origin] = self._create_pool(*origin, pools.make_room)
        return pool

    def _create_pool(self, scheme: str, host: str, port: int | None, make_room: MakeRoom) -> Pool:
        if scheme not in _PORTS or not host:
            msg = "the URL needs the scheme http or https, and a host"
            raise httpx.UnsupportedProtocol(msg)
        tls = None
        if scheme == "https":
            tls = self._tls = self._tls or ssl.create_default_context()
        dialer = Dialer(host, port or _PORTS[scheme], tls, self._resolver, self._terms)
        return Pool(dialer, self._terms, make_room)
