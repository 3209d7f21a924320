"""HTTP transport for production: aiohttp behind httpx's transport interface."""

import asyncio
import errno
import select
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final, cast, final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError
from aiohttp.tracing import Trace
from httpx_aiohttp import AiohttpTransport
from typing_extensions import override

__all__ = ("create_transport", "map_aiohttp_exception")

_KEEP_ALIVE_SECONDS: Final = 4.0
_DNS_TTL_SECONDS: Final = 10
_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})

_HTTPX_EXCEPTIONS: Final[Mapping[type[BaseException], type[httpx.RequestError]]] = MappingProxyType(
    {
        aiohttp.ClientError: httpx.NetworkError,
        HttpProcessingError: httpx.DecodingError,
        aiohttp.ClientResponseError: httpx.DecodingError,
        aiohttp.TooManyRedirects: httpx.TooManyRedirects,
        aiohttp.RedirectClientError: httpx.TooManyRedirects,
        aiohttp.ClientConnectionError: httpx.ReadError,
        aiohttp.ClientPayloadError: httpx.ReadError,
        aiohttp.UploadAbortedError: httpx.WriteError,
        aiohttp.ClientConnectionResetError: httpx.WriteError,
        aiohttp.ClientConnectorError: httpx.ConnectError,
        aiohttp.ServerFingerprintMismatch: httpx.ConnectError,
        aiohttp.ClientProxyConnectionError: httpx.ProxyError,
        aiohttp.ClientHttpProxyError: httpx.ProxyError,
        aiohttp.ServerTimeoutError: httpx.ReadTimeout,
        aiohttp.ConnectionTimeoutError: httpx.ConnectTimeout,
        aiohttp.InvalidURL: httpx.UnsupportedProtocol,
        aiohttp.NonHttpUrlClientError: httpx.UnsupportedProtocol,
    }
)
"""httpx exceptions by aiohttp exception; a class that is not listed maps like its nearest listed base class.

Malformed HTTP becomes `httpx.DecodingError`, so that it is not mistaken for a closed connection.
"""


_MAPPED: Final = (aiohttp.ClientError, HttpProcessingError, httpx.TransportError)


def create_transport(resolver: AbstractResolver | None = None) -> httpx.AsyncBaseTransport:
    """Create the transport that all services share; it needs no event loop until its first request.

    *resolver* resolves host names; the default is aiohttp's.

    - The number of connections is not limited. The concurrency limit of each service bounds its requests; a
      common limit would let a hanging service use up the connections of the other services.
    - Idle connections are closed after 4 s. uvicorn closes them after 5 s, so a request is rarely sent on a
      connection that the service is closing.
    - DNS results are cached for 10 s, and dropped as soon as connecting fails: a restarted service may have
      another address.
    - An idle connection is closed when data arrives, so that no surplus response is returned for the next
      request on the connection.
    """
    return _Transport(resolver)


@final
class _Transport(httpx.AsyncBaseTransport):
    """Transport that sends through `httpx_aiohttp.AiohttpTransport` and raises httpx's exceptions only.

    `AiohttpTransport` alone raises aiohttp's exceptions for malformed HTTP, and a connect timeout for a lost
    connection. Its default session stores cookies and keeps at most 100 connections in all, each for 15 s, so
    this transport has a session of its own. Every aiohttp session resends an idempotent request (GET, PUT,
    DELETE) whose pooled connection is lost. `_send_once` prevents that, and only the retry policy resends
    requests: otherwise a service that drops connections would get twice the requests, outside the retry
    budget.
    """

    def __init__(self, resolver: AbstractResolver | None) -> None:
        self._tls = ssl.create_default_context()
        self._resolver = resolver
        self._connectors: list[aiohttp.TCPConnector] = []
        self._inner = AiohttpTransport(verify=self._tls, trust_env=False, client=self._create_session)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except _MAPPED as error:
            failure = map_aiohttp_exception(error)
            if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout):
                self._drop_dns_cache(request.url)
            raise failure from error
        # Sound: an async transport returns an async stream.
        response.stream = _Stream(cast("httpx.AsyncByteStream", response.stream))
        return response

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    def _create_session(self) -> aiohttp.ClientSession:
        connector = _Connector(
            resolver=self._resolver,
            ssl=self._tls,
            limit=0,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            ttl_dns_cache=_DNS_TTL_SECONDS,
        )
        self._connectors.append(connector)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_send_once,),
        )

    def _drop_dns_cache(self, url: httpx.URL) -> None:
        for connector in self._connectors:
            connector.clear_dns_cache(url.host, url.port or _PORTS[url.scheme])


@final
class _Connector(aiohttp.TCPConnector):
    """Connector that sends no request on a connection on which data has arrived before the request.

    HTTP/1.1 links a response to its request only by the order on the connection. aiohttp keeps data that
    arrives on a pooled connection and returns it as the response to the next request: after one surplus
    response, every caller gets the response of the previous caller (aio-libs/aiohttp#13656, also in 3.14.5).
    A surplus response that arrives after the next request was sent cannot be recognised. It reaches that
    caller only: the connection is closed when the real response arrives. Remove this class and `_Guard` when
    aiohttp is replaced.
    """

    @override
    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection, pooled or new, on which no data waits.

        Raise `aiohttp.ClientConnectorError` if a new connection receives data or is closed before a request.
        """
        connection = await super().connect(req, traces, timeout)
        while (guard := _find_guard(connection)) and guard.has_data():
            connection.close()
            connection = await super().connect(req, traces, timeout)
        guard = guard or _guard_new(connection, req)
        guard.is_idle = False
        connection.add_callback(guard.become_idle)
        return connection


def _find_guard(connection: Connection) -> "_Guard | None":
    """Return the guard of a pooled connection; None for a new connection, which has no guard yet."""
    protocol = connection.transport and connection.transport.get_protocol()
    return protocol if isinstance(protocol, _Guard) else None


def _guard_new(connection: Connection, request: aiohttp.ClientRequest) -> "_Guard":
    transport, protocol = connection.transport, connection.protocol
    if (
        transport is None
        or protocol is None
        or protocol.should_close
        # A new TLS connection is often readable: servers send session tickets after the handshake.
        or (not request.is_ssl() and _is_readable(transport))
    ):
        connection.close()
        reason = "the server sent data or closed the connection before the request"
        error = ConnectionAbortedError(errno.ECONNABORTED, reason)
        raise aiohttp.ClientConnectorError(request.connection_key, error)
    return _Guard(transport, protocol)


@final
class _Guard(asyncio.Protocol):
    """Protocol that passes data to aiohttp's protocol, but closes an idle connection when data arrives."""

    def __init__(self, transport: asyncio.Transport, protocol: ResponseHandler) -> None:
        self.is_idle = False
        self._transport = transport
        self._protocol = protocol
        transport.set_protocol(self)

    def become_idle(self) -> None:
        """Close the connection when data arrives from now on."""
        self.is_idle = True

    def has_data(self) -> bool:
        """Return whether data, or a close, has arrived since the last response: in aiohttp or the kernel."""
        return self._protocol.should_close or _is_readable(self._transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self.is_idle:
            self._transport.abort()
        else:
            self._protocol.data_received(data)

    @override
    def eof_received(self) -> None:
        self._protocol.eof_received()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    @override
    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    @override
    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def _is_readable(transport: asyncio.Transport) -> bool:
    """Return whether data, or a close, has arrived that the event loop has not read yet."""
    connection = transport.get_extra_info("socket")
    if sys.platform == "win32":  # pragma: no cover - it has no poll
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()  # select takes no descriptor above 1,023
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


@final
class _Stream(httpx.AsyncByteStream):
    """Response stream that raises httpx's exceptions only."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except _MAPPED as error:
            raise map_aiohttp_exception(error) from error

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


async def _send_once(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await send(request)
    except aiohttp.ClientConnectionError as error:
        # aiohttp resends a GET, PUT or DELETE whose connection is lost, and has no option against that
        # (aio-libs/aiohttp#10790). It resends only after an exception of its own, so this raises an exception
        # of httpx; `map_aiohttp_exception` maps the cause.
        raise httpx.NetworkError(str(error)) from error


def map_aiohttp_exception(error: Exception) -> Exception:
    """Return the httpx exception for *error*, or for its cause if httpx-aiohttp has mapped it already."""
    # httpx-aiohttp maps refused and lost connections alike to ConnectTimeout (openai/openai-python#3594): a
    # write whose response is lost would count as never sent, and not be undone. Only the cause differs.
    ancestors = type(error.__cause__ or error).__mro__
    kind = next(
        (_HTTPX_EXCEPTIONS[ancestor] for ancestor in ancestors if ancestor in _HTTPX_EXCEPTIONS), type(error)
    )
    return kind(str(error))
