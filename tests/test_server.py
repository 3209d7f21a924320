"""The socket that the server listens on."""

import socket

import pytest

from gateway.server import CannotListenError, listening


def test_a_free_port_can_be_had() -> None:
    with listening("127.0.0.1", 0) as bound:
        assert bound.getsockname()[1] > 0


def test_an_ipv6_address_will_do() -> None:
    with listening("::1", 0) as bound:
        assert bound.family is socket.AF_INET6


def test_a_port_that_is_taken_is_named() -> None:
    with listening("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(CannotListenError, match=f"port {port} on 127.0.0.1 cannot be had"):
            listening("127.0.0.1", port)


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(CannotListenError, match=r"nowhere\.invalid is no address to listen on"):
        listening("nowhere.invalid", 0)
