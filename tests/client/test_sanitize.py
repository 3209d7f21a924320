"""What comes in headers and details, and what goes into URLs."""

import unicodedata
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote
from weakref import ref

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.client.url import Address

NOW = datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)
ADDRESS = Address("http://things.test/api/")
DATE_PARTS = [
    "Sun",
    ",",
    " ",
    "-",
    "06",
    "Nov",
    "94",
    "1994",
    "08:49:37",
    ":",
    "8",
    "GMT",
    "EST",
    "+99",
    "(",
    ")",
]

any_text = st.text()
sendable = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.text(st.characters()))
@example("\ud800")
def test_a_line_is_short_and_has_nothing_in_it_that_controls_anything(text: str) -> None:
    line = sanitize_text(text, 20)

    assert len(line) <= 20
    assert not {unicodedata.category(character) for character in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert line == sanitize_text(line, 20)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("User not found: ada", "User not found: ada"),
        ("a\r\nb\tc\x00d\x1b[31me", "a b c d [31me"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("pass\u200bword \u202egnp.exe\ufeff", "password gnp.exe"),
        ("  a   b  ", "a b"),
        ("é 用户 🙂", "é 用户 🙂"),
        ("a" * 200, "a" * 200),
        ("a" * 201, "a" * 199 + "…"),
        ("ab " * 99, "ab " * 66 + "a…"),
    ],
)
def test_a_line_keeps_what_can_be_read(text: str, line: str) -> None:
    assert sanitize_text(text, 200) == line


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 007 ", 7.0),
        ("999999999", 999_999_999.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 7.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 7.0),
        ("Sun Nov  6 08:49:37 1994", 7.0),
        ("Sun, 06 Nov 1994 08:49:37 -0000", 7.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        *[
            (junk, None)
            for junk in ("", "soon", "-1", "+1", "1.5", "1e3", "٣", "1, 2", "9" * 10, "9" * 9_999, "Sun, 06")
        ],
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +9999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_negative(
    value: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(any_text | st.lists(st.sampled_from(DATE_PARTS), max_size=9).map("".join))
def test_no_retry_after_does_any_harm(value: str) -> None:
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or seconds >= 0


@given(st.lists(sendable.filter(lambda segment: segment not in {"", ".", ".."}), max_size=4))
@example(["a/b", "c?d", "e#f", "g%2Fh", "%2e%2e", "é 用户", "+;=@:&", "\r\n\x00"])
def test_a_segment_stays_one_whatever_is_in_it(segments: list[str]) -> None:
    url = ADDRESS.url(segments)
    path = url.raw_path.decode("ascii")

    assert url.host == "things.test"
    assert [unquote(segment, errors="strict") for segment in path.split("/")] == ["", "api", *segments]


@given(st.lists(st.tuples(sendable, sendable), min_size=1, max_size=4))
@example([("a", "b&c=d"), ("a", "e f+g"), ("é", "%26#?/")])
def test_a_query_is_read_as_it_was_meant(query: list[tuple[str, str]]) -> None:
    url = ADDRESS.url(("things",), query)

    assert parse_qsl(url.query.decode("ascii"), keep_blank_values=True, errors="strict") == query


@pytest.mark.parametrize(
    ("base_url", "url", "host"),
    [
        ("http://things.test", "http://things.test/a", b"things.test"),
        ("HTTPS://Things.Test:8443/", "https://things.test:8443/a", b"things.test:8443"),
        ("http://[::1]:80/x/y/", "http://[::1]/x/y/a", b"[::1]"),
    ],
)
def test_an_address_may_have_a_port_and_a_path(base_url: str, url: str, host: bytes) -> None:
    address = Address(base_url)

    assert str(address.url(("a",))) == url
    assert address.host == host


def test_a_url_is_parsed_once_unless_it_is_long() -> None:
    long = "a" * 999

    assert ADDRESS.url(("a",)) is ADDRESS.url(("a",))
    assert ADDRESS.url((long,)) == ADDRESS.url((long,))
    assert ADDRESS.url((long,)) is not ADDRESS.url((long,))


def test_an_address_forgets_urls_when_there_are_many() -> None:
    address = Address("http://things.test")
    urls = [ref(address.url(("things", str(number)))) for number in range(5000)]

    assert sum(url() is not None for url in urls) <= 256
