"""URLs of a service: encoding and caching."""

from urllib.parse import parse_qsl, unquote
from weakref import ref

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.client.url import BaseUrl

BASE_URL = BaseUrl("http://things.test/api/")

sendable = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.lists(sendable.filter(lambda segment: segment not in {"", ".", ".."}), max_size=4))
@example(["a/b", "c?d", "e#f", "g%2Fh", "%2e%2e", "é 用户", "+;=@:&", "\r\n\x00"])
def test_any_text_is_one_path_segment(segments: list[str]) -> None:
    url = BASE_URL.join(segments)
    path = url.raw_path.decode("ascii")

    assert url.host == "things.test"
    assert [unquote(segment, errors="strict") for segment in path.split("/")] == ["", "api", *segments]


@given(st.lists(st.tuples(sendable, sendable), min_size=1, max_size=4))
@example([("a", "b&c=d"), ("a", "e f+g"), ("é", "%26#?/")])
def test_encoded_query_can_be_decoded(query: list[tuple[str, str]]) -> None:
    url = BASE_URL.join(("things",), query)

    assert parse_qsl(url.query.decode("ascii"), keep_blank_values=True, errors="strict") == query


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

    assert str(base.join(("a",))) == url
    assert base.host == host


def test_short_urls_are_cached() -> None:
    long = "a" * 999

    assert BASE_URL.join(("a",)) is BASE_URL.join(("a",))
    assert BASE_URL.join((long,)) == BASE_URL.join((long,))
    assert BASE_URL.join((long,)) is not BASE_URL.join((long,))


def test_url_cache_is_bounded() -> None:
    base_url = BaseUrl("http://things.test")
    urls = [ref(base_url.join(("things", str(number)))) for number in range(5000)]

    assert sum(url() is not None for url in urls) <= 256
