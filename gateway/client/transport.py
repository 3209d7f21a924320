"""The network, as production uses it: aiohttp behind httpx's interface."""

import ssl
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final, cast, final

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from aiohttp.http import HttpProcessingError
from httpx_aiohttp import AiohttpTransport
from typing_extensions import override

__all__ = ("create_transport", "map_aiohttp_exception")

_KEEP_ALIVE: Final = 4.0
_DNS_TTL: Final = 10
_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})

_MEANING: Final[Mapping[type[BaseException], type[httpx.RequestError]]] = MappingProxyType(
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
"""What aiohttp's exceptions are in httpx; one that is not named is what its nearest ancestor is.

What is no HTTP at all becomes `httpx.DecodingError`, so that it is not taken for a server that hung up.
"""


_RAISED: Final = (aiohttp.ClientError, HttpProcessingError, httpx.TransportError)


def create_transport(resolver: AbstractResolver | None = None) -> httpx.AsyncBaseTransport:
    """Make the transport that every upstream shares; it opens nothing before its first request.

    It has as many connections as there are requests: how many a service is asked at once is for policies to
    decide, and with a limit over all of them a service that hangs would use up the connections of the others.
    Idle ones are closed after 4 s, before the 5 s after which uvicorn does, so that a request hardly ever
    meets a connection that is being closed. Names are looked up again after 10 s, and as soon as nobody can
    be reached there: a service that comes back may do so at another address. *resolver* is who looks them up.
    """
    return _Transport(resolver)


@final
class _Transport(httpx.AsyncBaseTransport):
    """`httpx_aiohttp.AiohttpTransport` with a session of our own, and every exception of aiohttp mapped.

    By itself it lets malformed HTTP pass as aiohttp's exception and takes a lost connection for a connect
    timeout; its session keeps cookies, and at most 100 connections in all, for 15 s, and sends a GET or a
    DELETE again whose connection is lost, if that was not its first. Policies decide that here: a service
    that drops what it is asked would get twice of it, which no budget knows of.
    """

    def __init__(self, resolver: AbstractResolver | None) -> None:
        self._tls = ssl.create_default_context()
        self._resolver = resolver
        self._connectors: list[aiohttp.TCPConnector] = []
        self._inner = AiohttpTransport(verify=self._tls, trust_env=False, client=self._session)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except _RAISED as error:
            failure = map_aiohttp_exception(error)
            if isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout):
                self._look_up_again(request.url)
            raise failure from error
        # Sound: an async transport answers with an async stream.
        response.stream = _Stream(cast("httpx.AsyncByteStream", response.stream))
        return response

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver,
            ssl=self._tls,
            limit=0,
            keepalive_timeout=_KEEP_ALIVE,
            ttl_dns_cache=_DNS_TTL,
        )
        self._connectors.append(connector)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            middlewares=(_send_once,),
        )

    def _look_up_again(self, url: httpx.URL) -> None:
        for connector in self._connectors:
            connector.clear_dns_cache(url.host, url.port or _PORTS[url.scheme])


@final
class _Stream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except _RAISED as error:
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
        # No reason for aiohttp to send it again; what it means is judged by its cause.
        raise httpx.NetworkError(str(error)) from error


def map_aiohttp_exception(error: Exception) -> Exception:
    """Give what *error* is in httpx; where httpx-aiohttp has said that already, it is judged again."""
    ancestors = type(error.__cause__ or error).__mro__
    kind = next((_MEANING[ancestor] for ancestor in ancestors if ancestor in _MEANING), type(error))
    return kind(str(error))
