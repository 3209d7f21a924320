"""New and established connections after `drop_new_connections`, on real sockets."""

import socket

import pytest

from gateway.server.listener import drop_new_connections, open_listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_drop_new_connections_keeps_open_connections(host: str) -> None:
    """Established connections are served; new handshakes get no reply."""
    with open_listener(host, 0) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address) as early:
            early.sendall(b"hello")
            drop_new_connections(listener)

            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.2)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(9) == b"hello"
                accepted.sendall(b"there")
                assert early.recv(9) == b"there"


def test_drop_new_connections_ignores_closed_socket() -> None:
    with socket.socket() as closed:
        closed.close()
        drop_new_connections(closed)
