"""What an exception of a transport means."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import httpx

from gateway.railway import BadAnswer, TimedOut, Unavailable, UpstreamFault

__all__ = ("TRANSPORT_EXCEPTIONS", "Raised", "classify_exception", "was_sent")

Raised: TypeAlias = httpx.HTTPError | httpx.InvalidURL | httpx.CookieConflict | httpx.StreamError | OSError

TRANSPORT_EXCEPTIONS: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.CookieConflict,
    httpx.StreamError,
    OSError,
)
"""The roots of everything that a transport raises for want of an answer; anything else is a bug."""

_MEANING: Final[Mapping[type[BaseException], type[UpstreamFault]]] = MappingProxyType(
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
"""What an exception means; one that is not named means what its nearest ancestor does.

`httpx.RemoteProtocolError` is Unavailable like its ancestors: it is what httpcore raises when a server
hangs up. `gateway.client.transport` tells malformed HTTP apart, as `httpx.DecodingError`.
"""


_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL)


def classify_exception(error: Raised) -> type[UpstreamFault]:
    """Give the kind of fault that *error* is."""
    return next(_MEANING[ancestor] for ancestor in type(error).__mro__ if ancestor in _MEANING)


def was_sent(error: Raised) -> bool:
    """Say whether the service may have seen the request that ended in *error* before an answer began."""
    return not isinstance(error, _NEVER_SENT)
