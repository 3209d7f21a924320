"""Mapping of transport exceptions to upstream faults, and to evidence about the health of the service."""

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import httpx

from gateway.railway import BadAnswer, TimedOut, Unavailable, UpstreamFault
from gateway.resilience.attempt_outcome import HealthSignal

__all__ = (
    "NOT_BUILT",
    "TRANSPORT_EXCEPTIONS",
    "TransportException",
    "judge_exception",
    "map_exception",
    "may_have_been_sent",
)

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

`httpx.RemoteProtocolError` is `Unavailable`, like its base: transports raise it when a server closes the
connection. For a malformed response, `gateway.http1` raises `httpx.DecodingError`, a `BadAnswer`.
"""

_SIGNALS: Final[Mapping[type[BaseException], HealthSignal]] = MappingProxyType(
    {
        OSError: HealthSignal.DISCONNECTED,
        Exception: HealthSignal.UNHEALTHY,
        httpx.NetworkError: HealthSignal.DISCONNECTED,
        httpx.RemoteProtocolError: HealthSignal.DISCONNECTED,
        httpx.ConnectError: HealthSignal.UNREACHABLE,
        httpx.ConnectTimeout: HealthSignal.UNREACHABLE,
        httpx.ProxyError: HealthSignal.UNREACHABLE,
        httpx.PoolTimeout: HealthSignal.NONE,  # our own limit
    }
)
"""Evidence in an exception before the answer began, by class, as in `_FAULTS`."""

NOT_BUILT: Final = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
"""Exceptions of a request that cannot be built, whatever the service does."""

_OUT_OF_RESOURCES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
)
"""Errors of this machine: no file descriptor, memory or port is left."""

_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
)


def map_exception(error: TransportException) -> type[UpstreamFault]:
    """Return the class of the fault that *error* becomes."""
    return next(_FAULTS[base] for base in type(error).__mro__ if base in _FAULTS)


def may_have_been_sent(error: TransportException) -> bool:
    """Return whether the service may have received the request that failed with *error* before a response."""
    return not isinstance(error, _NEVER_SENT)


def judge_exception(error: TransportException, *, was_answered: bool = False) -> HealthSignal:
    """Return the evidence in *error*; *was_answered* is True if an answer had begun.

    If this machine has no resources left for a connection, that says nothing about the service.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _OUT_OF_RESOURCES:
            return HealthSignal.NONE
        cause = cause.__cause__
    if was_answered:
        return HealthSignal.UNHEALTHY
    return next(_SIGNALS[base] for base in type(error).__mro__ if base in _SIGNALS)
