"""URLs of a service: its base URL, and caching."""

from weakref import ref

import pytest

from gateway.client.url import BaseUrl

BASE_URL = BaseUrl("http://things.test/api/")


@pytest.mark.parametrize(
    ("base_url", "url", "host"),
    [
        ("http://things.test", "http://things.test/a", b"things.test"),
        ("HTTPS://Things.Test:8443/", "https://things.test:8443/a", b"things.test:8443"),
        ("http://[::1]:80/x/y/", "http://[::1]/x/y/a", b"[::1]"),
    ],
)
def test_base_url_may_have_port_and_path(base_url: str, url: str, host: bytes) -> None:
    base = BaseUrl(base_url)

    assert str(base.join("/a")) == url
    assert base.host == host


def test_base_url_adds_query() -> None:
    assert BASE_URL.join("/a", "b=c%26").raw_path == b"/api/a?b=c%26"


def test_short_urls_are_cached() -> None:
    long = f"/{'a' * 999}"

    assert BASE_URL.join("/a") is BASE_URL.join("/a")
    assert BASE_URL.join(long) == BASE_URL.join(long)
    assert BASE_URL.join(long) is not BASE_URL.join(long)


def test_url_cache_is_bounded() -> None:
    base_url = BaseUrl("http://things.test")
    urls = [ref(base_url.join(f"/things/{number}")) for number in range(5000)]

    assert sum(url() is not None for url in urls) <= 256
