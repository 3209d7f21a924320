"""Those who have yet to connect, once nobody is let in any more."""

import array
import contextlib
import socket
import struct
import sys
from typing import Final

__all__ = ("drop_new_connections",)

_SO_ATTACH_FILTER: Final = 26
_FLAGS, _SYN, _ACK = 13, 0x02, 0x10
"""The byte of a TCP header that has its flags (RFC 9293, 3.1), and two of them."""

# https://docs.kernel.org/networking/filter.html: what comes to the socket is seen from its TCP header on.
_FILTER: Final = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, _FLAGS),  # load it
        (0x54, 0, 0, _SYN | _ACK),  # leave those two
        (0x15, 0, 1, _SYN),  # is it the first packet of a connection?
        (0x06, 0, 0, 0),  # then drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep all of it
    )
)


def drop_new_connections(bound: socket.socket) -> None:
    """Let no new connection begin on the listening socket *bound*; those that have begun can be accepted.

    When a listening socket is closed, the kernel resets what nobody has accepted yet, though to the client it
    is a connection, on which it may have sent its request. So no connection may be on its way by then. The
    first packet of a new one is dropped here: clients send it again after a second (RFC 6298, 2), and are
    refused if the socket is closed by then. Where that cannot be had, which is anywhere but on Linux, this
    does nothing, and a client may be reset that connects in the very moment.
    """
    code = array.array("B", _FILTER)
    address, length = code.buffer_info()
    if sys.platform == "linux":  # pragma: no branch - what this is tested on
        with contextlib.suppress(OSError):
            bound.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", length // 8, address))
