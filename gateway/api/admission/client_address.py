"""Client address of a request, and the caller that its rate limit counts."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.types import Scope

__all__ = ("UNKNOWN_CALLER", "find_client_address", "identify_caller")

UNKNOWN_CALLER: Final = "unknown"
"""Caller of all requests without a client address."""
_HOST_BITS: Final = 64


def find_client_address(scope: Scope) -> IPv4Address | IPv6Address | None:
    """Return the client address of the request with this ASGI *scope*, or None if it has none.

    An IPv4-mapped IPv6 address, which a dual-stack socket reports, is returned as IPv4 (RFC 4291, 2.5.5.2).
    """
    client: tuple[str, int] | None = scope.get("client")
    if client is None:
        return None
    try:
        found = ip_address(client[0])
    except ValueError:  # the path of a Unix socket
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def identify_caller(scope: Scope) -> str:
    """Return the name of the caller for rate limits: its IPv4 address, or the /64 subnet of an IPv6 address.

    The name is `UNKNOWN_CALLER` if the request has no client address. An IPv6 host can use every address of
    its subnet (RFC 8981). A link-local address is not shortened: all hosts on a link share a subnet.
    """
    found = find_client_address(scope)
    if found is None:
        return UNKNOWN_CALLER
    if isinstance(found, IPv4Address) or found.is_link_local:
        return str(found)
    return f"{IPv6Address(int(found) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
