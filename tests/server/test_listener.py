"""The socket that the server listens on: opening it, and its URL."""

import socket

import pytest

from gateway.server.listener import ListenError, format_url, open_listener


def test_port_0_selects_a_free_port() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_ipv6_address() -> None:
    with open_listener("::1", 0) as listener:
        assert listener.family is socket.AF_INET6


def test_error_names_a_taken_port() -> None:
    with open_listener("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ListenError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            open_listener("127.0.0.1", port)


def test_port_is_taken_before_it_is_served() -> None:
    with open_listener("127.0.0.1", 0) as listener, pytest.raises(ListenError):
        open_listener("127.0.0.1", listener.getsockname()[1])


def test_error_names_an_invalid_host() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on bad\.\.host:0: "):
        open_listener("bad..host", 0)


def test_error_names_an_unknown_host() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on nowhere\.invalid:0: "):
        open_listener("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "local"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")],  # noqa: S104
)
def test_url_can_be_opened_on_this_machine(host: str, local: str) -> None:
    with open_listener(host, 0) as listener:
        assert format_url(listener) == f"http://{local}:{listener.getsockname()[1]}"
