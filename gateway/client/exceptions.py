"""Mapping of transport exceptions to upstream faults."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import httpx

from gateway.railway import BadAnswer, TimedOut, Unavailable, UpstreamFault

__all__ = ("TRANSPORT_EXCEPTIONS", "TransportException", "map_exception", "may_have_been_sent")

TransportException: TypeAlias = (
    httpx.HTTPError | httpx.InvalidURL | httpx.CookieConflict | httpx.StreamError | OSError
)

TRANSPORT_EXCEPTIONS: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,
)
"""Base classes of the exceptions with which a transport may fail; any other exception is a bug."""

_FAULTS: Final[Mapping[type[BaseException], type[UpstreamFault]]] = MappingProxyType(
    {
        OSError: Unavailable,
        httpx.HTTPError: BadAnswer,
        httpx.TransportError: Unavailable,
        httpx.TimeoutException: TimedOut,
        httpx.ConnectTimeout: Unavailable,
        httpx.PoolTimeout: Unavailable,
        httpx.InvalidURL: Unavailable,
        httpx.CookieConflict: BadAnswer,
        httpx.StreamError: BadAnswer,
    }
)
"""Faults by exception class; a class that is not listed has the fault of its nearest listed base class.

`httpx.RemoteProtocolError` is `Unavailable`, like its base: httpcore raises it when a server closes the
connection. For malformed HTTP, `gateway.client.transport` raises `httpx.DecodingError`, a `BadAnswer`.
"""

_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL)


def map_exception(error: TransportException) -> type[UpstreamFault]:
    """Return the class of the fault that *error* becomes."""
    return next(_FAULTS[base] for base in type(error).__mro__ if base in _FAULTS)


def may_have_been_sent(error: TransportException) -> bool:
    """Return whether the service may have received the request that failed with *error* before a response."""
    return not isinstance(error, _NEVER_SENT)
