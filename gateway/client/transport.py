"""HTTP transports for production: the gateway's own, and that of httpx."""

import ssl
from pathlib import Path
from typing import Final, Literal, TypeAlias

import httpx

from gateway.http1 import Http1Transport, Resolver

__all__ = (
    "TransportName",
    "choose_transport",
    "create_httpx_transport",
    "create_tls_context",
    "create_transport",
)

TransportName: TypeAlias = Literal["http1", "httpx"]
"""Name of a transport: `http1`, the gateway's own, or `httpx`, the one that httpx has by default."""

_UNLIMITED: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=4.0)


def create_tls_context(ca_file: Path | None, certificate_file: Path | None) -> ssl.SSLContext:
    """Create the context for a service with authorities or a client certificate of its own.

    - *ca_file*: certificates of the authorities that are trusted, in PEM; by default those of the system.
    - *certificate_file*: client certificate and its key, in PEM.

    Raise `OSError`, of which `ssl.SSLError` is one, for a file that cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if certificate_file is not None:
        context.load_cert_chain(certificate_file)
    return context


def choose_transport(name: TransportName, tls: ssl.SSLContext | None = None) -> httpx.AsyncBaseTransport:
    """Create the transport called *name*, with the context *tls* for https."""
    return create_httpx_transport(tls) if name == "httpx" else create_transport(tls)


def create_transport(
    tls: ssl.SSLContext | None = None, resolver: Resolver | None = None
) -> httpx.AsyncBaseTransport:
    """Create the transport that services share; it needs no event loop until its first request.

    *tls* is the context for https; by default it verifies certificates with the system's authorities.

    The number of connections is not limited. The concurrency limit of each service bounds its requests; a
    common limit would let a hanging service use up the connections of the other services.
    """
    return Http1Transport(tls=tls, resolver=resolver)


def create_httpx_transport(tls: ssl.SSLContext | None = None) -> httpx.AsyncBaseTransport:
    """Create httpx's own transport, with as few limits as that of `create_transport`.

    It takes many times the CPU, and does not bound responses. A malformed response is
    an `httpx.RemoteProtocolError`, and so an `Unavailable`. Plain `respx.mock` intercepts its requests.
    """
    return httpx.AsyncHTTPTransport(verify=True if tls is None else tls, trust_env=False, limits=_UNLIMITED)
