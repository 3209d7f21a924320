"""HTTP/1.1 transport for httpx, on httptools: a package that depends on nothing else in the gateway.

- `terms`: limits and lives of connections.
- `transport`: `Http1Transport`, which finds the pool of a request's origin.
- `prepared_request`, `request_writer`: requests as bytes.
- `received_response`: responses as bytes.
- `loop_pools`, `pool`: the connections of an event loop, and those to an origin.
- `dialer`, `resolver`: how connections are made.
- `connection`, `response_reader`: an exchange on a connection, and its response.
"""

from gateway.http1.prepared_request import Origin, PreparedRequest
from gateway.http1.received_response import ReceivedResponse
from gateway.http1.request_writer import format_headers
from gateway.http1.resolver import Resolver
from gateway.http1.terms import TransportTerms
from gateway.http1.transport import Http1Transport

__all__ = (
    "Http1Transport",
    "Origin",
    "PreparedRequest",
    "ReceivedResponse",
    "Resolver",
    "TransportTerms",
    "format_headers",
)
