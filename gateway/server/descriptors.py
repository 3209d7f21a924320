"""Limit of file descriptors of the process: raise it, and derive the limit of connections."""

import sys
from typing import Final

__all__ = ("MAX_CONNECTIONS", "choose_connection_limit", "get_descriptor_limit", "raise_descriptor_limit")

MAX_CONNECTIONS: Final = 16_384
"""Most client connections, whatever the limit of descriptors is: an idle one takes about 10 KB of memory."""

_MOST_ON_MACOS: Final = 10_240
"""`OPEN_MAX` of macOS, whose limit may seem to be infinite."""

_OTHERS: Final = 64
"""Descriptors of everything else: listening sockets, the event loop, files, libraries."""


def raise_descriptor_limit() -> None:
    """Raise the limit of open file descriptors of this process to the most that it may have."""
    if sys.platform != "win32":  # pragma: no branch - the tests run on Linux
        import resource  # noqa: PLC0415 - not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = _MOST_ON_MACOS if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def get_descriptor_limit() -> int | None:
    """Return the most file descriptors that this process can open; None without a limit, as on Windows."""
    if sys.platform == "win32":  # pragma: no cover - the tests run on Linux
        return None
    import resource  # noqa: PLC0415 - not on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def choose_connection_limit(descriptors: int | None, calls: int) -> int:
    """Return how many client connections there may be, so that services can still be called.

    *descriptors* is the limit of the process (None: no limit), *calls* the most calls to services at the same
    time. At least a
    quarter of the descriptors is for clients.
    """
    if descriptors is None:
        return MAX_CONNECTIONS
    left = max(descriptors - calls - _OTHERS, descriptors // 4)
    return min(left, MAX_CONNECTIONS)
