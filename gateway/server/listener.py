"""The listening socket: open it, format its URL, stop accepting new TCP connections during shutdown."""

import array
import contextlib
import socket
import struct
import sys
from typing import Final

__all__ = ("ListenError", "drop_new_connections", "format_url", "open_listener")

_BACKLOG: Final = 2048
"""Established connections that the kernel queues until the server accepts them."""
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on

_SO_ATTACH_FILTER: Final = 26
_FLAGS, _SYN, _ACK = 13, 0x02, 0x10
"""Offset of the flags in a TCP header, and two of the flags (RFC 9293, section 3.1)."""

# A classic BPF program. On a TCP socket, offsets count from the start of the TCP header:
# https://docs.kernel.org/networking/filter.html
_DROP_SYN: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, _FLAGS),  # load the byte with the flags
        (0x54, 0, 0, _SYN | _ACK),  # mask all flags but these two
        (0x15, 0, 1, _SYN),  # SYN without ACK is the first packet of a handshake:
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # accept every other packet
    )
)


class ListenError(Exception):
    """Failure to listen on an address; the message names the address and the reason."""


def open_listener(host: str, port: int) -> socket.socket:
    """Open a socket that listens on *host* and *port*; port 0 selects a free port.

    From then on the kernel completes TCP handshakes, and the connections wait in the backlog until a `Server`
    accepts them. Raise `ListenError` if the host cannot be resolved or the address cannot be listened on.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _build_listen_error(host, port, error) from error
    family, kind, protocol, _, address = addresses[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _build_listen_error(host, port, error) from error
    return listener


def format_url(listener: socket.socket) -> str:
    """Format the URL under which clients on this machine reach *listener*."""
    host: str
    host, port, *_ = listener.getsockname()
    return f"http://{_format_address(_LOOPBACK.get(host, host), port)}"


def drop_new_connections(listener: socket.socket) -> None:
    """Ignore new TCP handshakes on *listener*; connections already established can still be accepted.

    Closing a listening socket makes the kernel reset the connections in its backlog, although their clients
    have completed the handshake and may have sent a request. So before the socket is closed, the backlog
    must be empty and every handshake complete.

    This function drops the first packet (SYN) of new handshakes. Clients send it again after a second (RFC
    6298, section 2), and are refused if the socket is closed by then.

    Only Linux supports this. Elsewhere nothing is dropped, and a client that connects during the shutdown
    may be reset.
    """
    program = array.array("B", _DROP_SYN)
    address, length = program.buffer_info()
    if sys.platform == "linux":  # pragma: no branch - the tests run on Linux
        with contextlib.suppress(OSError):
            listener.setsockopt(
                socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", length // 8, address)
            )


def _format_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _build_listen_error(host: str, port: int, error: OSError | UnicodeError) -> ListenError:
    reason = getattr(error, "strerror", None) or error
    return ListenError(f"cannot listen on {_format_address(host, port)}: {reason}")
