"""URLs of a service: its base URL, to which paths are joined."""

import pytest

from gateway.client.url import BaseUrl
from gateway.http1 import Origin


@pytest.mark.parametrize(
    ("base_url", "origin", "target", "host"),
    [
        ("http://things.test", Origin("http", "things.test", None), b"/a", b"things.test"),
        ("HTTPS://Things.Test:8443/", Origin("https", "things.test", 8443), b"/a", b"things.test:8443"),
        ("http://[::1]:80/x/y/", Origin("http", "::1", None), b"/x/y/a", b"[::1]"),
    ],
)
def test_base_url_may_have_port_and_path(base_url: str, origin: Origin, target: bytes, host: bytes) -> None:
    base = BaseUrl(base_url)

    assert (base.origin, base.host, base.join("/a")) == (origin, host, target)


def test_base_url_adds_query() -> None:
    assert BaseUrl("http://things.test/api/").join("/a", "b=c%26") == b"/api/a?b=c%26"
