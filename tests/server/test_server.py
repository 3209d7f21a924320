"""The socket that the server listens on."""

import socket

import pytest

from gateway.server.server import ListenError, listening, url_of


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

        with pytest.raises(ListenError, match=f"port {port} on 127.0.0.1 cannot be had"):
            listening("127.0.0.1", port)


def test_a_port_is_kept_from_others_before_it_is_served() -> None:
    with listening("127.0.0.1", 0) as bound, pytest.raises(ListenError):
        listening("127.0.0.1", bound.getsockname()[1])


def test_a_host_that_cannot_be_a_name_is_named() -> None:
    with pytest.raises(ListenError, match=r"bad\.\.host is no address to listen on"):
        listening("bad..host", 0)


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(ListenError, match=r"nowhere\.invalid is no address to listen on"):
        listening("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "near"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")],  # noqa: S104
)
def test_its_url_is_one_that_can_be_opened_on_this_machine(host: str, near: str) -> None:
    with listening(host, 0) as bound:
        assert url_of(bound) == f"http://{near}:{bound.getsockname()[1]}"
