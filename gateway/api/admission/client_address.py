"""Who is at the other end of the connection."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from starlette.types import Scope

__all__ = ("UNKNOWN", "address", "caller")

UNKNOWN: Final = "unknown"
"""The caller without an address; however many there are, they are one."""
_HOST_BITS: Final = 64


def address(scope: Scope) -> IPv4Address | IPv6Address | None:
    """Give the address from which the request with this ASGI *scope* comes; None if it has none.

    An IPv4 address that IPv6 wraps is unwrapped: so it looks to a server that listens for both.
    """
    client: tuple[str, int] | None = scope.get("client")
    if client is None:
        return None
    try:
        found = ip_address(client[0])
    except ValueError:  # the path of a socket
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def caller(scope: Scope) -> str:
    """Name who is asking, as far as limits go: its address, or of IPv6 the half that hosts cannot choose.

    A host has all 2^64 addresses of its subnet at its choice (RFC 8981). Only on a link, where everybody has
    the same subnet, does the whole address count.
    """
    found = address(scope)
    if found is None:
        return UNKNOWN
    if isinstance(found, IPv4Address) or found.is_link_local:
        return str(found)
    return f"{IPv6Address(int(found) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
