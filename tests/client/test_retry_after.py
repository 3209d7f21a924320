"""Parsing of the `Retry-After` header."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.retry_after import parse_retry_after

NOW = datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)
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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 007 ", 7.0),
        ("299", 299.0),
        ("300", 300.0),
        ("301", 300.0),
        ("86400", 300.0),
        ("999999999", 300.0),
        ("Sun, 06 Nov 1994 08:54:29 GMT", 299.0),
        ("Sun, 06 Nov 1994 09:49:30 GMT", 300.0),
        ("Fri, 01 Jan 2150 00:00:00 GMT", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
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
def test_retry_after_parses_seconds_or_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text() | st.lists(st.sampled_from(DATE_PARTS), max_size=9).map("".join))
def test_retry_after_is_at_most_300_seconds(value: str) -> None:
    seconds = parse_retry_after(value, NOW)

    assert seconds is None or 0 <= seconds <= 300
