"""HTTP transports for production: the gateway's own, and that of httpx."""

from typing import Final, Literal, TypeAlias

import httpx

from gateway.http1 import Http1Transport, Resolver

__all__ = ("TransportName", "create_httpx_transport", "create_transport")

TransportName: TypeAlias = Literal["http1", "httpx"]
"""Name of a transport: `http1`, the gateway's own, or `httpx`, the one that httpx has by default."""

_UNLIMITED: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4.0)


def create_transport(resolver: Resolver | None = None) -> httpx.AsyncBaseTransport:
    """Create the transport that all services share; it needs no event loop until its first request.

    The number of connections is not limited. The concurrency limit of each service bounds its requests; a
    common limit would let a hanging service use up the connections of the other services.
    """
    return Http1Transport(resolver=resolver)


def create_httpx_transport() -> httpx.AsyncBaseTransport:
    """Create httpx's own transport, with as few limits as that of `create_transport`.

    It takes several times the CPU, and does not bound responses. A malformed response is
    an `httpx.RemoteProtocolError`, and so an `Unavailable`. Plain `respx.mock` intercepts its requests.
    """
    return httpx.AsyncHTTPTransport(trust_env=False, limits=_UNLIMITED)
