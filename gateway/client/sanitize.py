"""Sanitizer that turns untrusted text into a line that is safe to show."""

import unicodedata
from typing import Final

__all__ = ("sanitize_text",)

_SEPARATORS: Final = frozenset({"Cc", "Zl", "Zp"})
_INVISIBLE: Final = frozenset({"Cf", "Cs"})
_REPLACEMENT: Final = "\ufffd"
_READ_FACTOR: Final = 8


def sanitize_text(text: str, limit: int) -> str:
    """Return *text* as a single line of at most *limit* characters.

    Control characters and line separators become spaces, and runs of spaces become a single space. Invisible
    characters (format characters such as bidirectional overrides, lone surrogates) and U+FFFD are dropped.
    A truncated text ends in an ellipsis. At most eight times *limit* characters are read, to bound the work.
    """
    visible = "".join(map(_sanitize_character, text[: limit * _READ_FACTOR]))
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _sanitize_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in _SEPARATORS:
        return " "
    return "" if category in _INVISIBLE or character == _REPLACEMENT else character
