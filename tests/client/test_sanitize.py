"""Sanitizing of untrusted text."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.client.sanitize import sanitize_text


@given(st.text(st.characters()))
@example("\ud800")
def test_sanitized_text_is_short_and_visible(text: str) -> None:
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
def test_sanitized_text_stays_readable(text: str, line: str) -> None:
    assert sanitize_text(text, 200) == line
