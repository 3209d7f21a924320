"""Listening socket of the server, its errors and its URL."""

import socket

import pytest

from gateway.server.listener import ListenError, format_url, open_listener


def test_listener_on_port_0_gets_free_port() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_open_listener_supports_ipv6_host() -> None:
    with open_listener("::1", 0) as listener:
        assert listener.family is socket.AF_INET6


def test_listen_error_names_taken_port() -> None:
    with open_listener("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ListenError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            open_listener("127.0.0.1", port)


def test_open_listener_reserves_port_at_once() -> None:
    with open_listener("127.0.0.1", 0) as listener, pytest.raises(ListenError):
        open_listener("127.0.0.1", listener.getsockname()[1])


def test_listen_error_names_invalid_host() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on bad\.\.host:0: "):
        open_listener("bad..host", 0)


def test_listen_error_names_unknown_host() -> None:
    with pytest.raises(ListenError, match=r"^cannot listen on nowhere\.invalid:0: "):
        open_listener("nowhere.invalid", 0)


@pytest.mark.parametrize(
    ("host", "local"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")],  # noqa: S104
)
def test_format_url_returns_local_address(host: str, local: str) -> None:
    with open_listener(host, 0) as listener:
        assert format_url(listener) == f"http://{local}:{listener.getsockname()[1]}"
