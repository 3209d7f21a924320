"""Connections that begin when nobody is let in any more, on real sockets."""

import socket

import pytest

from gateway.server.listener import drop_new_connections, open_listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_who_has_connected_is_still_served_and_whoever_comes_later_is_not_let_in(host: str) -> None:
    with open_listener(host, 0) as bound:
        where = bound.getsockname()[:2]
        with socket.create_connection(where) as early:
            early.sendall(b"hello")
            drop_new_connections(bound)

            with pytest.raises(TimeoutError):
                socket.create_connection(where, timeout=0.2)
            accepted, _ = bound.accept()
            with accepted:
                assert accepted.recv(9) == b"hello"
                accepted.sendall(b"there")
                assert early.recv(9) == b"there"


def test_what_is_no_socket_of_that_kind_is_left_alone() -> None:
    with socket.socket() as gone:
        gone.close()
        drop_new_connections(gone)
